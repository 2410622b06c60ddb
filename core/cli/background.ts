import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { forbidden, unavailable } from '@gantry/sdk/errors';
import type { Context } from './context.ts';
import { nodeFlags } from './daemon/node-flags.ts';
import { defaultSocket, takenStatus } from './host.ts';

const idleExitSeconds = 300;
const startTimeoutMs = 30_000;
const pollMs = 20;
// Not below the exec root, which an engine empties when it starts after a reboot.
const logFile = '/var/log/gantryd.log';

/**
 * Makes sure that an engine answers on the default socket: starts gantryd in the background when none does, and says so on stderr.
 * Two callers at once start one engine: the second gantryd finds the data root taken and ends. It ends by itself when idle.
 */
export async function ensureEngine(context: Context): Promise<void> {
  if (await accepts(defaultSocket)) return;
  if (process.getuid?.() !== 0) {
    throw forbidden('no engine is running, and starting one needs root', { hint: 'start it with: sudo gantryd' });
  }
  context.note(
    `gantry: no engine is running: starting gantryd in the background (log: ${logFile}; it ends after ${idleExitSeconds / 60} idle minutes)`,
  );
  await startEngine();
}

async function startEngine(): Promise<void> {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a', 0o600);
  const logStart = statSync(logFile).size;
  const words = [...nodeFlags, daemonProgram(), '--idle-exit', String(idleExitSeconds)];
  const child = spawn(process.execPath, words, { detached: true, stdio: ['ignore', log, log], cwd: '/' });
  closeSync(log);
  child.unref();
  let failure: string | undefined;
  child.once('error', (error) => (failure = error.message));
  // Another one that has the data root is as good, once it answers.
  child.once('exit', (code, signal) => (failure = code === takenStatus ? undefined : `exit ${code ?? signal}`));
  const deadline = performance.now() + startTimeoutMs;
  while (!(await accepts(defaultSocket))) {
    const hint = `look into ${logFile}`;
    if (failure !== undefined) throw unavailable(`gantryd did not start: ${lastLine(logStart) || failure}`, { hint });
    if (performance.now() > deadline) throw unavailable(`gantryd does not answer after ${startTimeoutMs / 1000} s`, { hint });
    await delay(pollMs);
  }
}

/** Next to the program that runs, wherever this file was built to. */
function daemonProgram(): string {
  return join(dirname(realpathSync(process.argv[1] ?? '')), 'gantryd.mjs');
}

async function accepts(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connectSocket(path, () => resolve(true)).once('error', (error: NodeJS.ErrnoException) => {
    // Someone listens whom we may not reach: the request itself will say it better.
    resolve(error.code === 'EACCES');
  });
  return await promise.finally(() => socket.destroy());
}

function lastLine(from: number): string {
  const lines = readFileSync(logFile).subarray(from).toString('utf8').trim().split('\n');
  return (lines.findLast((line) => line.startsWith('gantryd: ')) ?? lines.at(-1) ?? '').replace(/^gantryd: /, '').slice(0, 400);
}
