import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { connect as connectTo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@gantry/sdk/client';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { containerState, countProcesses, createContainer, expect, linesOf, runExec, until } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const folder = mkdtempSync(join(tmpdir(), 'engine-'));
const gate = join(folder, 'gate');
let engine: Daemon;
let pidsBefore: Readonly<Record<string, number>>;

const waitAtGate = 'while [ ! -e /gate/open ]; do usleep 10000; done';
const secondRun = ['sleep', '7006'];
const hostConfig = { Binds: [`${gate}:/gate`] };
const containers = {
  web: {
    command: ['sh', '-c', 'echo kept > /data/file; while :; do echo pong | nc -l -p 80; done'],
    hostConfig: { NetworkMode: 'bridge', PortBindings: { '80/tcp': [{ HostPort: '8081' }] }, Binds: ['web-data:/data'] },
  },
  counter: { command: ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo "line $i"; usleep 9000; done'] },
  echo: { command: ['cat'], openStdin: true },
  brief: { command: ['sh', '-c', `echo last words before; ${waitAtGate}; echo last words; exit 7`], hostConfig },
  again: {
    command: ['sh', '-c', `echo run; [ -e /data/ran ] && exec ${secondRun.join(' ')}; ${waitAtGate}; touch /data/ran; exit 8`],
    hostConfig: { Binds: [...hostConfig.Binds, 'again-data:/data'], RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 } },
  },
} as const;
const survivors = ['web', 'counter', 'echo'] as const;

before(async () => {
  mkdirSync(gate);
  engine = await Daemon.start({ folder });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  for (const [name, options] of Object.entries(containers)) {
    await createContainer(engine.api, name, options);
    await expect(engine.api, 'POST', `/containers/${name}/start`, { statuses: [204] });
  }
  pidsBefore = await pids();
  await until(async () => (await linesOf(engine.api, 'counter')).length > 20);
  await engine.kill('SIGKILL');
  await whileItIsDead();
  engine = await Daemon.start({ folder });
});

after(async () => {
  for (const name of Object.keys(containers)) await engine.api.call('DELETE', `/containers/${name}?force=1&v=1`);
  await engine.kill();
});

/** The port answers; two containers end. */
async function whileItIsDead(): Promise<void> {
  assert.equal(await ask(8081), 'pong\n');
  writeFileSync(join(gate, 'open'), '');
  for (const name of ['brief', 'again']) await until(() => countProcesses(containers[name as 'brief' | 'again'].command) === 0);
  assert.equal(countProcesses(secondRun), 0);
}

test('containers keep their processes when the engine is killed and started again', async () => {
  assert.deepEqual(await pids(), pidsBefore);
  for (const name of survivors) assert.equal((await containerState(engine.api, name)).Status, 'running');
});

test('a published port answers as before, and is still taken for others', async () => {
  assert.equal(await ask(8081), 'pong\n');
  await createContainer(engine.api, 'other', { hostConfig: containers.web.hostConfig });
  const { status, body } = await engine.api.call('POST', '/containers/other/start');
  assert.match(`${status} ${body}`, /^500 .*port is already allocated|8081.*in use|^409 .*8081/);
  await expect(engine.api, 'DELETE', '/containers/other', { statuses: [204] });
});

test('the log has every line once, whatever the engine was doing when it was written', async () => {
  for (let kills = 0; kills < 3; kills += 1) {
    await sleep(100);
    await engine.kill('SIGKILL');
    await sleep(100);
    engine = await Daemon.start({ folder });
  }
  const seen = (await linesOf(engine.api, 'counter')).length;
  await until(async () => (await linesOf(engine.api, 'counter')).length > seen + 50);
  const lines = await linesOf(engine.api, 'counter');
  assert.deepEqual(
    lines,
    lines.map((_, at) => `line ${at + 1}`),
  );
});

test('what ended while the engine was dead has its exit code and its last words', async () => {
  await until(async () => (await containerState(engine.api, 'brief')).Status === 'exited');
  assert.equal((await containerState(engine.api, 'brief')).ExitCode, 7);
  assert.equal((await engine.api.json<{ StatusCode: number }>('POST', '/containers/brief/wait')).StatusCode, 7);
  assert.deepEqual(await linesOf(engine.api, 'brief'), ['last words before', 'last words']);
});

test('the restart policy of what ended while the engine was dead is applied, once', async () => {
  await until(() => countProcesses(secondRun) > 0);
  const { RestartCount } = await engine.api.json<{ readonly RestartCount: number }>('GET', '/containers/again/json');
  assert.deepEqual({ RestartCount, running: countProcesses(secondRun) }, { RestartCount: 1, running: 1 });
  assert.deepEqual(await linesOf(engine.api, 'again'), ['run', 'run']);
});

test('exec and attach reach a container that the engine did not start itself', async () => {
  assert.equal(await runExec(engine.api, 'web', ['sh', '-c', '[ "$(cat /data/file)" = kept ] && exit 5']), 5);
  const client = connect({ host: `unix://${engine.places.socketPath}` });
  await using attached = await client.containers.attach('echo', { stdin: true, stdout: true, stderr: true });
  await attached.write(Buffer.from('hello\n'));
  for await (const { data } of attached.output({ tty: false })) {
    assert.equal(data.toString(), 'hello\n');
    break;
  }
});

test('a container that the engine did not start itself can be stopped and removed', async () => {
  await expect(engine.api, 'POST', '/containers/web/stop?t=0', { statuses: [204] });
  assert.equal((await containerState(engine.api, 'web')).ExitCode, 137);
  await assert.rejects(ask(8081), /ECONNREFUSED/);
  await expect(engine.api, 'DELETE', '/containers/web', { statuses: [204] });
});

async function pids(): Promise<Readonly<Record<string, number>>> {
  const states = await Promise.all(survivors.map(async (name) => [name, (await containerState(engine.api, name)).Pid] as const));
  return Object.fromEntries(states);
}

/** What the port answers, on the loopback address. The server takes one connection after the other, and may be between two. */
async function ask(port: number): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await text(connectTo(port, '127.0.0.1'));
    } catch (error) {
      if (tries === 50) throw error;
      await sleep(20);
    }
  }
}
