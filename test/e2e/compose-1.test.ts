import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/busybox.ts';
import { oldComposeCommand, runClient } from '../support/clients.ts';
import { Daemon } from '../support/daemon.ts';
import { DockerApi } from '../support/docker-api.ts';
import { inNamespaces } from '../support/namespaces.ts';

const command = oldComposeCommand();
inNamespaces(import.meta.url, { missing: command === undefined ? 'needs docker-compose 1, which Debian had until 12' : undefined });

const timeout = 240_000;
const folder = mkdtempSync(join(tmpdir(), 'compose-1-'));
let daemon: Daemon;
let api: DockerApi;

const stack = `
version: '2.4'
services:
  db:
    image: busybox
    command: sh -c 'echo stored > /data/row; exec httpd -f -p 5432 -h /data'
    healthcheck: { test: [CMD, wget, -qO, /dev/null, "http://127.0.0.1:5432/row"], interval: 1s, timeout: 5s, retries: 30 }
    volumes: [data:/data]
    networks: { back: { aliases: [database] } }
    mem_limit: 64m
  web:
    image: busybox
    command: sh -c 'wget -qO /tmp/row http://database:5432/row && exec httpd -f -p 80 -h /tmp'
    depends_on: { db: { condition: service_healthy } }
    networks: [front, back]
    ports: ["127.0.0.1:18081:80"]
  worker:
    image: busybox
    command: sh -c 'echo working; exec sleep 1000'
    networks: [front]
    stop_signal: SIGKILL
volumes: { data: {} }
networks: { front: {}, back: { internal: true } }
`;

before(async () => {
  writeFileSync(join(folder, 'docker-compose.yml'), stack);
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  api = new DockerApi(daemon.places.socketPath);
  await api.request('POST /images/load', { body: busyboxImage().archive, headers: { 'Content-Type': 'application/x-tar' } });
});
after(() => daemon[Symbol.asyncDispose]());

/** It reads a field of images that Docker left out in 1.45, and speaks the newest version unless it is told another. */
async function compose(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runClient([...(command ?? []), '--no-ansi', '-p', 'old', ...words], {
    cwd: folder,
    env: { ...api.environment, COMPOSE_API_VERSION: '1.44' },
  });
  assert.equal(code, 0, `docker-compose ${words.join(' ')}: ${stdout}${stderr}\n${daemon.log.slice(-2000)}`);
  return stdout.trimEnd();
}

test('docker-compose 1 brings a stack up in the order of its health, scales it and talks to it', { timeout }, async () => {
  await compose('up', '-d', '--scale', 'worker=2');
  assert.equal((await compose('ps', '-q')).split('\n').length, 4);
  assert.equal(await (await fetch('http://127.0.0.1:18081/row')).text(), 'stored\n');
  assert.equal(await compose('exec', '-T', 'web', 'cat', '/tmp/row'), 'stored');
  assert.match(await compose('ps', 'db'), /Up \(healthy\)/);
  assert.match(await compose('logs', 'worker'), /worker_2 +\| working/);
  assert.match(await compose('top', 'web'), /httpd/);
  assert.equal(await compose('port', 'web', '80'), '127.0.0.1:18081');
});

test('docker-compose 1 pauses, restarts, runs by the way, keeps volumes when it makes anew, and takes everything down', {
  timeout,
}, async () => {
  for (const words of [
    ['pause', 'web'],
    ['unpause', 'web'],
    ['restart', '-t', '0', 'web'],
    ['stop', '-t', '0', 'worker'],
    ['start', 'worker'],
  ])
    await compose(...words);
  assert.equal(await compose('run', '--rm', '--no-deps', '-T', 'worker', 'echo', 'by the way'), 'by the way');
  await compose('exec', '-T', 'db', 'sh', '-c', 'echo mine > /data/own');
  await compose('up', '-d', '--force-recreate', '-t', '0', 'db');
  assert.equal(await compose('exec', '-T', 'db', 'cat', '/data/own'), 'mine');
  await compose('down', '-v', '-t', '0', '--remove-orphans');
  const { Volumes } = await api.json<{ Volumes: readonly unknown[] }>('GET /volumes');
  assert.deepEqual([await api.json('GET /containers/json?all=1'), Volumes], [[], []]);
});
