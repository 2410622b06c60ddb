import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { oldComposeCommand, runClient } from '../support/clients/clients.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

const command = oldComposeCommand();
inNamespaces(import.meta.url, { missing: command === undefined ? 'needs docker-compose 1, which Debian had until 12' : undefined });

const timeout = 240_000;
const folder = mkdtempSync(join(tmpdir(), 'compose-1-'));
let daemon: Daemon;
let api: DockerApi;

/** Configs are the one thing that it cannot: it says so, and leaves them to swarms. */
const stack = `
services:
  db:
    image: busybox
    command: sh -c 'echo stored > /data/row; exec httpd -f -p 5432 -h /data'
    healthcheck: { test: [CMD, wget, -qO, /dev/null, "http://127.0.0.1:5432/row"], interval: 1s, timeout: 5s, retries: 30 }
    volumes: [data:/data]
    networks: { back: { aliases: [database] } }
    secrets: [token]
    mem_limit: 64m
    stop_grace_period: 1s
  migrate:
    image: busybox
    command: sh -c 'wget -qO /shared/migrated http://database:5432/row'
    depends_on: { db: { condition: service_healthy } }
    volumes: [shared:/shared]
    networks: [back]
  web:
    image: busybox
    command: sh -c 'cp /etc/page.conf /www/index.html; exec httpd -f -p 80 -h /www'
    depends_on: { migrate: { condition: service_completed_successfully } }
    volumes: ["shared:/shared:ro", "./page:/etc/page.conf:ro"]
    tmpfs: [/www]
    networks: [front, back]
    ports: ["127.0.0.1:18081:80"]
    stop_grace_period: 1s
  worker:
    build: { context: ./worker, args: { WORD: tick } }
    networks: [front]
    stop_signal: SIGKILL
    restart: unless-stopped
  debug:
    image: busybox
    command: sleep 1000
    profiles: [debugging]
    networks: [front]
    stop_signal: SIGKILL
volumes: { data: {}, shared: {} }
networks: { front: {}, back: { internal: true } }
secrets: { token: { file: ./token } }
`;

before(async () => {
  mkdirSync(join(folder, 'worker'));
  writeFileSync(join(folder, 'worker/Dockerfile'), 'FROM busybox\nARG WORD\nENV WORD=$WORD\nCOPY work.sh /\nCMD ["sh", "/work.sh"]\n');
  writeFileSync(join(folder, 'worker/work.sh'), 'n=0; while true; do echo $WORD $n; n=$((n+1)); sleep 1; done\n');
  writeFileSync(join(folder, 'token'), 'hidden');
  writeFileSync(join(folder, 'page'), 'the page');
  writeFileSync(join(folder, 'docker-compose.yml'), stack);
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  api = new DockerApi(daemon.places.socketPath);
  await api.request('POST /images/load', { body: busyboxImage().archive, headers: { 'Content-Type': 'application/x-tar' } });
});
after(() => daemon[Symbol.asyncDispose]());

/** It builds over the API; else it would have the docker CLI do it. */
const environment = () => ({ ...api.environment, COMPOSE_API_VERSION: '1.44', COMPOSE_DOCKER_CLI_BUILD: '0' });

/** It reads a field of images that Docker left out in 1.45, and speaks the newest version unless it is told another. */
async function compose(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runClient([...(command ?? []), '--no-ansi', '-p', 'old', ...words], {
    cwd: folder,
    env: environment(),
  });
  assert.equal(code, 0, `docker-compose ${words.join(' ')}: ${stdout}${stderr}\n${daemon.log.slice(-2000)}`);
  return stdout.trimEnd();
}

const running = async (): Promise<readonly string[]> =>
  (await api.json<readonly { Names: readonly string[] }[]>('GET /containers/json')).map(({ Names }) => Names[0] ?? '').toSorted();

test('docker-compose 1 builds, and brings a stack up in the order of health and of what has to end first', { timeout }, async () => {
  assert.match(await compose('build'), /Successfully tagged old_worker:latest/);
  await compose('up', '-d', '--scale', 'worker=2');
  assert.deepEqual(await running(), ['/old_db_1', '/old_web_1', '/old_worker_1', '/old_worker_2']);
  assert.equal(await (await fetch('http://127.0.0.1:18081/')).text(), 'the page');
  assert.equal(await compose('exec', '-T', 'web', 'cat', '/shared/migrated'), 'stored');
  assert.equal(await compose('exec', '-T', 'web', 'wget', '-qO-', 'http://database:5432/row'), 'stored');
  assert.equal(await compose('exec', '-T', 'db', 'cat', '/run/secrets/token'), 'hidden');
  assert.match(await compose('ps', 'db'), /Up \(healthy\)/);
  assert.match(await compose('top', 'web'), /httpd/);
  assert.equal(await compose('port', 'web', '80'), '127.0.0.1:18081');
});

test('docker-compose 1 keeps networks apart, and gives exit codes of exec', { timeout }, async () => {
  const words = ['exec', '-T', 'worker', 'nslookup', 'database'];
  const refused = await runClient([...(command ?? []), '-p', 'old', ...words], { cwd: folder, env: environment() });
  assert.notEqual(refused.code, 0, refused.stdout);
  const failed = await runClient([...(command ?? []), '-p', 'old', 'exec', '-T', 'web', 'sh', '-c', 'exit 7'], {
    cwd: folder,
    env: environment(),
  });
  assert.equal(failed.code, 7, failed.stderr);
});

test('docker-compose 1 logs -f goes on as lines come', { timeout }, async () => {
  const [file = '', ...first] = command ?? [];
  const child = spawn(file, [...first, '--no-ansi', '-p', 'old', 'logs', '-f', '--tail', '1', 'worker'], {
    cwd: folder,
    env: { ...process.env, ...environment() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const seen = new Set<string>();
  for await (const chunk of child.stdout) {
    for (const [line] of String(chunk).matchAll(/worker_[12] +\| tick \d+/g)) seen.add(line);
    if (seen.size >= 5) break;
  }
  child.kill('SIGKILL');
  await ended;
  assert.ok(
    ['worker_1', 'worker_2'].every((name) => [...seen].some((line) => line.startsWith(name))),
    [...seen].join('; '),
  );
});

test('docker-compose 1 scales down, starts a profile, and pauses, restarts, stops and starts', { timeout }, async () => {
  await compose('up', '-d', '--no-recreate', '--scale', 'worker=1');
  await compose('--profile', 'debugging', 'up', '-d', '--no-recreate', 'debug');
  assert.deepEqual(await running(), ['/old_db_1', '/old_debug_1', '/old_web_1', '/old_worker_1']);
  for (const words of [
    ['pause', 'web'],
    ['unpause', 'web'],
    ['restart', '-t', '0', 'web'],
    ['stop', '-t', '0', 'worker'],
    ['start', 'worker'],
  ])
    await compose(...words);
  assert.deepEqual(await running(), ['/old_db_1', '/old_debug_1', '/old_web_1', '/old_worker_1']);
});

test('docker-compose 1 runs by the way, keeps volumes when it makes anew, and takes everything down', { timeout }, async () => {
  assert.equal(await compose('run', '--rm', '--no-deps', '-T', 'worker', 'echo', 'by the way'), 'by the way');
  await compose('exec', '-T', 'db', 'sh', '-c', 'echo mine > /data/own');
  await compose('up', '-d', '--force-recreate', '--no-deps', '-t', '0', 'db');
  assert.equal(await compose('exec', '-T', 'db', 'cat', '/data/own'), 'mine');
  await compose('--profile', 'debugging', 'down', '-v', '-t', '0', '--remove-orphans');
  const left = await Promise.all([
    api.json('GET /containers/json?all=1'),
    api.json<{ Volumes: readonly unknown[] }>('GET /volumes').then(({ Volumes }) => Volumes),
    api.json<readonly { Name: string }[]>('GET /networks').then((all) => all.map(({ Name }) => Name).toSorted()),
  ]);
  assert.deepEqual(left, [[], [], ['bridge', 'host', 'none']]);
});
