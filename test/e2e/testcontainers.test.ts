import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage, busyboxLayer } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { makeImage } from '../support/images/image-archive.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../support/images/tar-builder.ts';

const cli = staticCli();
inNamespaces(import.meta.url, {
  missing: cli === undefined ? "needs a statically linked docker CLI: the reaper's image is made of it" : undefined,
});

const timeout = 120_000;
let daemon: Daemon;
let api: DockerApi;
let library: Awaited<ReturnType<typeof load>>;
const load = () => import('testcontainers');
before(async () => {
  daemon = await Daemon.start({ folder: mkdtempSync(join(tmpdir(), 'testcontainers-')) });
  api = new DockerApi(daemon.places.socketPath);
  for (const { archive } of [busyboxImage(), reaperImage()])
    await api.request('POST /images/load', { body: archive, headers: { 'Content-Type': 'application/x-tar' } });
  Object.assign(process.env, {
    DOCKER_HOST: `unix://${daemon.places.socketPath}`,
    TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE: daemon.places.socketPath,
    TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1',
    RYUK_CONTAINER_IMAGE: 'reaper:latest',
  });
  // Its settings are read while it is loaded.
  library = await load();
});
after(() => daemon[Symbol.asyncDispose]());

/** The path of the machine's docker CLI, if it runs in an image without libraries. */
function staticCli(): string | undefined {
  const path = spawnSync('sh', ['-c', 'command -v docker'], { encoding: 'utf8' }).stdout.trim();
  return path !== '' && spawnSync('ldd', [path], { encoding: 'utf8' }).status !== 0 ? path : undefined;
}

/**
 * What testcontainers' Ryuk does, as far as it is spoken to: each line on port 8080 is a filter and is answered ACK; once nobody is connected
 * any more, what passes the filters is removed.
 */
function reaperImage() {
  const session = [
    '#!/bin/sh',
    'while read -r line; do echo "$line" >> /filters; echo ACK; done',
    'sleep 1',
    'for label in $(sed "s/^label=//; s/&label=/ /g" /filters | tr " " "\\n" | grep session-id | sort -u); do',
    '  docker ps -aq --filter "label=$label" | while read -r id; do',
    '    [ "$(docker inspect -f \'{{.Config.Image}}\' "$id")" = reaper:latest ] || docker rm -fv "$id"',
    '  done',
    '  docker network ls -q --filter "label=$label" | xargs -r docker network rm',
    'done',
    'kill 1',
  ].join('\n');
  const layer = Buffer.concat([
    entry('session', session, { mode: 0o755 }),
    entry('bin/docker', readFileSync(cli ?? ''), { mode: 0o755 }),
    endOfArchive,
  ]);
  const config = {
    Cmd: ['sh', '-c', 'trap exit TERM; nc -ll -p 8080 -e /session & echo "Started!"; echo "Started"; while true; do sleep 0.2; done'],
    Env: ['PATH=/bin:/usr/bin:/sbin:/usr/sbin', 'DOCKER_HOST=unix:///var/run/docker.sock'],
    ExposedPorts: { '8080/tcp': {} },
  };
  return makeImage({ reference: 'reaper:latest', layers: [busyboxLayer(), layer], config });
}

test('testcontainers: a container with a port that is waited for, files, environment, exec, logs', { timeout }, async () => {
  const { GenericContainer, Wait } = library;
  const container = await new GenericContainer('busybox')
    .withCommand(['sh', '-c', 'echo begun; exec httpd -f -p 80 -h /www'])
    .withExposedPorts(80)
    .withEnvironment({ A: 'b' })
    .withCopyContentToContainer([{ content: 'page', target: '/www/index.html' }])
    .withWaitStrategy(Wait.forAll([Wait.forListeningPorts(), Wait.forLogMessage('begun'), Wait.forHttp('/', 80)]))
    .start();
  const answer = await fetch(`http://${container.getHost()}:${container.getMappedPort(80)}/`);
  assert.equal(await answer.text(), 'page');
  const { exitCode, output } = await container.exec(['sh', '-c', 'echo $A; exit 3']);
  assert.deepEqual([exitCode, output.trim()], [3, 'b']);
  await container.restart({ timeout: 0 });
  await container.stop();
  assert.deepEqual(
    (await names()).filter((name) => !name.startsWith('/testcontainers-ryuk')),
    [],
  );
});

test('testcontainers: networks with aliases, health, tmpfs, limits', { timeout }, async () => {
  const { GenericContainer, Network, Wait } = library;
  await using network = await new Network().start();
  await using server = await new GenericContainer('busybox')
    .withCommand(['sh', '-c', 'echo data > /tmp/row; exec httpd -f -p 5432 -h /tmp'])
    .withNetwork(network)
    .withNetworkAliases('database')
    .withTmpFs({ '/tmp': 'rw,size=1m' })
    .withResourcesQuota({ memory: 0.1, cpu: 0.5 })
    .withHealthCheck({ test: ['CMD', 'wget', '-qO', '/dev/null', 'http://127.0.0.1:5432/row'], interval: 500, timeout: 5_000, retries: 20 })
    .withWaitStrategy(Wait.forHealthCheck())
    .start();
  await using client = await new GenericContainer('busybox').withCommand(['sleep', '600']).withNetwork(network).start();
  assert.equal((await client.exec(['wget', '-qO-', 'http://database:5432/row'])).output.trim(), 'data');
  assert.ok(server.getId() !== client.getId());
});

test('testcontainers: what a process that dies leaves is removed by the reaper', { timeout }, async () => {
  const script = `
    const { GenericContainer, Network } = await import('testcontainers');
    const network = await new Network().start();
    await new GenericContainer('busybox').withCommand(['sleep', '600']).withName('left').withNetwork(network).start();
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(child.signal, 'SIGKILL', child.stderr);
  const deadline = Date.now() + 60_000;
  while ((await names()).includes('/left')) {
    assert.ok(Date.now() < deadline, 'it is still there');
    await sleep(200);
  }
});

async function names(): Promise<readonly string[]> {
  const all = await api.json<readonly { readonly Names: readonly [string] }[]>('GET /containers/json?all=1');
  return all.map(({ Names: [name] }) => name);
}
