import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../support/images/busybox.ts';
import { composeCommand, runClient } from '../support/clients/clients.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

const command = composeCommand();
inNamespaces(import.meta.url, {
  missing: command === undefined ? 'needs docker compose v2, which npm test fetches where it can' : undefined,
});

const timeout = 240_000;
const folder = mkdtempSync(join(tmpdir(), 'compose-'));
let daemon: Daemon;
let api: DockerApi;

const stack = (greeting: string) => `
name: shop
x-box: &box
  image: busybox
  stop_grace_period: 1s
services:
  db:
    <<: *box
    command: sh -c 'echo stored > /data/row; exec httpd -f -p 5432 -h /data'
    healthcheck: { test: [CMD, wget, -qO, /dev/null, "http://127.0.0.1:5432/row"], interval: 1s, timeout: 5s, retries: 30 }
    volumes: [data:/data]
    networks: { back: { aliases: [database] } }
    secrets: [token]
  migrate:
    <<: *box
    command: sh -c 'wget -qO /shared/migrated http://database:5432/row'
    depends_on: { db: { condition: service_healthy } }
    volumes: [shared:/shared]
    networks: [back]
  web:
    <<: *box
    command: sh -c 'cp /etc/page.conf /www/index.html; exec httpd -f -p 80 -h /www'
    environment: { GREETING: ${greeting} }
    depends_on:
      migrate: { condition: service_completed_successfully }
      db: { condition: service_healthy }
    configs: [{ source: page, target: /etc/page.conf }]
    tmpfs: [/www]
    volumes: [shared:/shared:ro]
    ports: ["127.0.0.1:18080:80"]
    networks: [front, back]
  worker:
    build: { context: ./worker, args: { WORD: tick }, labels: { made-by: compose } }
    stop_grace_period: 1s
    depends_on: { web: { condition: service_started } }
    networks: [front]
    restart: unless-stopped
  debug:
    <<: *box
    command: sleep 1000
    profiles: [debugging]
    networks: [front]
volumes: { data: {}, shared: {} }
networks: { front: {}, back: { internal: true } }
secrets: { token: { file: ./token } }
configs: { page: { file: ./page } }
`;

const worker = `FROM busybox
ARG WORD
ENV WORD=$WORD
COPY work.sh /
CMD ["sh", "/work.sh"]
`;

before(async () => {
  mkdirSync(join(folder, 'worker'));
  writeFileSync(join(folder, 'worker/Dockerfile'), worker);
  writeFileSync(join(folder, 'worker/work.sh'), 'n=0; while true; do echo $WORD $n; n=$((n+1)); sleep 1; done\n');
  writeFileSync(join(folder, 'token'), 'hidden');
  writeFileSync(join(folder, 'page'), 'the page');
  writeFileSync(join(folder, 'compose.yaml'), stack('hello'));
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  api = new DockerApi(daemon.places.socketPath);
  await api.request('POST /images/load', { body: busyboxImage().archive, headers: { 'Content-Type': 'application/x-tar' } });
});
after(() => daemon[Symbol.asyncDispose]());

/** Runs `docker compose WORDS`, which must succeed. */
async function compose(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runClient([...(command ?? []), '--ansi', 'never', ...words], {
    cwd: folder,
    env: api.environment,
  });
  assert.equal(code, 0, `compose ${words.join(' ')}: ${stdout}${stderr}\n${daemon.log.slice(-3000)}`);
  return stdout.trimEnd();
}

const running = async (): Promise<readonly string[]> => (await compose('ps', '--format', '{{.Service}}')).split('\n').toSorted();
const idOf = (service: string) => compose('ps', '-aq', service);

test('compose build makes the image of the service that has none, and again out of the cache', { timeout }, async () => {
  await compose('build', 'worker');
  const built = async () =>
    (await api.docker(['image', 'inspect', '-f', '{{.Id}} {{index .Config.Labels "made-by"}} {{.Config.Env}}', 'shop-worker'])).stdout;
  const first = await built();
  assert.match(first, /^sha256:[0-9a-f]{64} compose \[.*WORD=tick/);
  await compose('build');
  assert.equal(await built(), first);
});

test('compose up waits for health and for what has to end first, and starts no profile that nobody asked for', { timeout }, async () => {
  await compose('config', '-q');
  await compose('up', '-d');
  assert.deepEqual(await running(), ['db', 'web', 'worker']);
  assert.match(await compose('ps', '-a', '--format', '{{.Service}} {{.State}} {{.Health}} {{.ExitCode}}'), /^migrate exited +0$/m);
  assert.match(await compose('ps', '--format', '{{.Service}} {{.Health}}'), /^db healthy$/m);
});

test('services find each other by name and alias, on the networks that they share and no others', { timeout }, async () => {
  assert.equal(await compose('exec', '-T', 'web', 'wget', '-qO-', 'http://database:5432/row'), 'stored');
  assert.equal(await compose('exec', '-T', 'web', 'cat', '/shared/migrated'), 'stored');
  assert.equal(await compose('exec', '-T', 'worker', 'wget', '-qO-', 'http://web/'), 'the page');
  const refused = await runClient([...(command ?? []), 'exec', '-T', 'worker', 'nslookup', 'database'], {
    cwd: folder,
    env: api.environment,
  });
  assert.notEqual(refused.code, 0, refused.stdout);
  assert.equal(await (await fetch('http://127.0.0.1:18080/')).text(), 'the page');
  assert.equal(await compose('port', 'web', '80'), '127.0.0.1:18080');
});

test('secrets and configs are files, and environment comes through', { timeout }, async () => {
  assert.equal(await compose('exec', '-T', 'db', 'cat', '/run/secrets/token'), 'hidden');
  assert.equal(await compose('exec', '-T', 'web', 'sh', '-c', 'echo $GREETING'), 'hello');
});

test('compose exec gives exit codes and takes users and folders; compose run makes a container of its own', { timeout }, async () => {
  const failed = await runClient([...(command ?? []), 'exec', '-T', 'web', 'sh', '-c', 'exit 7'], { cwd: folder, env: api.environment });
  assert.equal(failed.code, 7);
  assert.equal(await compose('exec', '-T', '-u', 'nobody', '-w', '/tmp', 'web', 'sh', '-c', 'id -un; pwd'), 'nobody\n/tmp');
  assert.equal(await compose('run', '--rm', '-T', '--no-deps', 'web', 'echo', 'by the way'), 'by the way');
  await compose('exec', '-T', '-d', 'web', 'touch', '/www/made');
});

test('compose up --scale makes more and fewer of a service', { timeout }, async () => {
  await compose('up', '-d', '--no-recreate', '--scale', 'worker=3');
  assert.equal((await compose('ps', '-q', 'worker')).split('\n').length, 3);
  await compose('up', '-d', '--no-recreate', '--scale', 'worker=1');
  assert.equal((await compose('ps', '-q', 'worker')).split('\n').length, 1);
});

test('compose logs -f goes on as lines come, and ends with its reader', { timeout }, async () => {
  const [file = '', ...first] = command ?? [];
  const child = spawn(file, [...first, '--ansi', 'never', 'logs', '-f', '--tail', '1', 'worker'], {
    cwd: folder,
    env: { ...process.env, ...api.environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const seen = new Set<string>();
  for await (const chunk of child.stdout) {
    for (const [line] of String(chunk).matchAll(/worker-\d+ +\| tick \d+/g)) seen.add(line);
    if (seen.size >= 3) break;
  }
  child.kill('SIGINT');
  await ended;
  // It erases a line that it did not write, whatever --ansi says.
  const lines = (await compose('logs', '--no-log-prefix', '--tail', '2', 'worker')).replaceAll('\u001b[2K', '');
  assert.match(lines, /^tick \d+\ntick \d+$/);
});

test('compose stop, start, restart, pause, unpause, kill, top, images, cp', { timeout }, async () => {
  const first = await idOf('web');
  await compose('restart', '-t', '0', 'web');
  await compose('stop', '-t', '0', 'web');
  assert.deepEqual(await running(), ['db', 'worker']);
  await compose('start', 'web');
  assert.equal(await idOf('web'), first);
  await compose('pause', 'web');
  assert.match(await compose('ps', '--format', '{{.Service}} {{.State}}'), /^web paused$/m);
  await compose('unpause', 'web');
  assert.match(await compose('top', 'web'), /httpd -f -p 80/);
  assert.match(await compose('images'), /busybox +latest/);
  await compose('cp', 'token', 'web:/tmp/copied');
  assert.equal(await compose('exec', '-T', 'web', 'cat', '/tmp/copied'), 'hidden');
  await compose('cp', 'web:/tmp/copied', 'back');
  assert.equal(readFileSync(join(folder, 'back'), 'utf8'), 'hidden');
  await compose('kill', '-s', 'KILL', 'web');
  await compose('up', '-d');
  assert.deepEqual(await running(), ['db', 'web', 'worker']);
});

test('a changed service is made anew, the others stay, and volumes keep what they have', { timeout }, async () => {
  await compose('exec', '-T', 'db', 'sh', '-c', 'echo mine > /data/own');
  const [db, web] = [await idOf('db'), await idOf('web')];
  writeFileSync(join(folder, 'compose.yaml'), stack('goodbye'));
  await compose('up', '-d');
  assert.equal(await idOf('db'), db);
  assert.notEqual(await idOf('web'), web);
  assert.equal(await compose('exec', '-T', 'web', 'sh', '-c', 'echo $GREETING'), 'goodbye');
  await compose('up', '-d', '--force-recreate', 'db');
  assert.equal(await compose('exec', '-T', 'db', 'cat', '/data/own'), 'mine');
});

test('compose up --build makes a changed image, and containers of it', { timeout }, async () => {
  writeFileSync(join(folder, 'worker/work.sh'), 'while true; do echo tock; sleep 1; done\n');
  const earlier = await idOf('worker');
  await compose('up', '-d', '--build', 'worker');
  assert.notEqual(await idOf('worker'), earlier);
  for (let tries = 0; !(await compose('logs', '--no-log-prefix', 'worker')).includes('tock'); tries += 1) {
    assert.ok(tries < 50, 'it does not say it');
    await sleep(200);
  }
});

test('a profile starts what it names; a service with a restart policy comes back', { timeout }, async () => {
  await compose('--profile', 'debugging', 'up', '-d', 'debug');
  assert.deepEqual(await running(), ['db', 'debug', 'web', 'worker']);
  const restarts = async () => Number((await api.docker(['inspect', '-f', '{{.RestartCount}}', await idOf('worker')])).stdout);
  const earlier = await restarts();
  const { State } = await api.json<{ State: { Pid: number } }>(`GET /containers/${await idOf('worker')}/json`);
  process.kill(State.Pid, 'SIGKILL');
  for (let tries = 0; (await restarts()) === earlier; tries += 1) {
    assert.ok(tries < 100, 'it did not come back');
    await sleep(100);
  }
});

test('compose down -v leaves nothing of the stack', { timeout }, async () => {
  await compose('--profile', 'debugging', 'down', '-v', '-t', '0');
  const left = await Promise.all([
    api.json('GET /containers/json?all=1'),
    api.json<{ Volumes: readonly unknown[] }>('GET /volumes').then(({ Volumes }) => Volumes),
    api.json<readonly { Name: string }[]>('GET /networks').then((all) => all.map(({ Name }) => Name).toSorted()),
  ]);
  assert.deepEqual(left, [[], [], ['bridge', 'host', 'none']]);
});
