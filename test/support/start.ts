import { nodeFlags } from '../../core/cli/daemon/index.ts';
import { spawn } from 'node:child_process';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '@gantry/sdk/client';
import { buildWhenStale } from '../build/fresh.ts';
import { busyboxImage } from './images/busybox.ts';
import { ensureTools } from './setup.ts';

/** npm start: sets up what is missing, then serves the API until Ctrl-C. */
const socket = '/run/gantry/gantry.sock';
const usage = `
  export DOCKER_HOST=unix://${socket}
  docker run --rm busybox echo hello        with the docker CLI, compose, testcontainers, …
  core/bin/gantry.mjs run --rm -it busybox sh`;

process.exitCode = await main();

async function main(): Promise<number> {
  if (process.getuid?.() !== 0) return say('an engine needs root: sudo npm start', 1);
  if (await answers()) return say(`an engine serves ${socket} already\n${usage}`, 0);
  const lacking = ensureTools('run');
  if (lacking.length > 0) return say(`the engine needs ${lacking.join(', ')}`, 1);
  buildWhenStale();
  return await serve();
}

async function serve(): Promise<number> {
  const daemon = join(import.meta.dirname, '../../core/bin/gantryd.mjs');
  const child = spawn(process.execPath, [...nodeFlags, daemon, ...process.argv.slice(2)], { stdio: 'inherit' });
  const ended = new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  // Ctrl-C reaches gantryd by itself; we stay until it has stopped.
  process.on('SIGINT', () => undefined).on('SIGTERM', () => child.kill('SIGTERM'));
  while (!(await answers())) {
    if (child.exitCode !== null) return child.exitCode;
    await delay(20);
  }
  await ensureImage();
  say(`the engine serves ${socket}. In another terminal:\n${usage}\n\nCtrl-C stops it. Containers run on; the next start knows them.`, 0);
  return await ended;
}

/** Something to run, also without a registry. */
async function ensureImage(): Promise<void> {
  const { images } = connect({ host: `unix://${socket}` });
  if ((await images.list()).length > 0) return;
  for await (const { stream } of images.load(archive(), { quiet: true })) if (stream !== undefined) process.stdout.write(stream);
}

async function* archive(): AsyncGenerator<Buffer> {
  yield busyboxImage().archive;
}

async function answers(): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = connectSocket(socket, () => resolve(true)).on('error', () => resolve(false));
  return await promise.finally(() => probe.destroy());
}

function say(text: string, status: number): number {
  process.stdout.write(`${text}\n`);
  return status;
}
