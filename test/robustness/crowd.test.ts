import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { withExt4 } from '../support/disks/ext4.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { createContainer, expect, removeContainer, statusOf } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

/** Small by default; GANTRY_TEST_CROWD=1 is what the engine is held to: 200 running, 500 stopped, 2,000 runs, 100 at once. */
const isWhole = process.env['GANTRY_TEST_CROWD'] === '1';
const size = isWhole
  ? { running: 200, stopped: 500, runs: 2_000, mixed: 100, attached: 500, volumes: 6_000, killed: 100 }
  : { running: 12, stopped: 30, runs: 60, mixed: 16, attached: 60, volumes: 300, killed: 12 };
const timeout = isWhole ? 3_600_000 : 240_000;
/** No call of a mix may take longer, however busy the machine is. */
const longestCallMs = 10_000 * (isWhole ? 1 : 4);

const disk = withExt4({ folder: mkdtempSync(join(tmpdir(), 'crowd-')), sizeMiB: 4096 });
const folder = join(disk.path, 'engine');
let engine: Daemon;
before(async () => {
  engine = await Daemon.start({ folder });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});
after(async () => {
  await engine.kill();
  await disk[Symbol.asyncDispose]();
});

const sleeper = { command: ['sleep', '100000'] };
const start = (name: string) => expect(engine.api, 'POST', `/containers/${name}/start`, { statuses: [204, 304] });
const list = (query = '?all=1') => engine.api.json<readonly { readonly State: string }[]>('GET', `/containers/json${query}`);

/** Eight at a time, as clients do it. */
async function forEach(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

function residentMB(): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${engine.pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024;
}

test(`${size.runs} containers are run and removed one after the other: nothing of them stays, and memory does not grow`, {
  timeout,
}, async (t) => {
  const { api } = engine;
  const runOne = async (index: number): Promise<void> => {
    const name = `run-${index}`;
    await createContainer(api, name, { hostConfig: { AutoRemove: true } });
    const gone = api.json('POST', `/containers/${name}/wait?condition=removed`);
    await start(name);
    await gone;
  };
  // What is made once, and what a garbage collector comes to late, is not growth.
  for (let index = 0; index < size.runs / 4; index += 1) await runOne(index);
  const samples: (readonly [run: number, residentMB: number])[] = [];
  for (let index = 0; index < size.runs; index += 1) {
    await runOne(index);
    if (index % (size.runs / 40) === 0) samples.push([index, residentMB()]);
  }
  assert.deepEqual(await list(), []);
  const { findings } = await checkStore();
  assert.deepEqual(findings, []);
  const slope = slopeOf(samples) * 1e3;
  t.diagnostic(`${slope.toFixed(2)} MB per 1,000; ${samples.map(([, megabytes]) => megabytes.toFixed(0)).join(' ')}`);
  // Few runs say nothing of a slope: then it is only that nothing runs away.
  assert.ok(
    isWhole ? slope < 1 : (samples.at(-1)?.[1] ?? 0) - (samples[0]?.[1] ?? 0) < 24,
    `${slope.toFixed(2)} MB more after each 1,000 runs`,
  );
});

/** The median of the slopes between all pairs (Theil and Sen): one step, as of a heap that takes its place, is no slope. */
function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes = points.flatMap(([x, y], index) => points.slice(index + 1).map(([later, more]) => (more - y) / (later - x)));
  return slopes.toSorted((one, other) => one - other)[Math.floor(slopes.length / 2)] ?? Number.NaN;
}

async function checkStore(): Promise<{ readonly findings: readonly unknown[] }> {
  const text = await engine.api.stream('POST', '/gantry/v1/system/check');
  const last = text.trim().split('\r\n').at(-1) ?? '{}';
  return (JSON.parse(last) as { readonly aux: { readonly findings: readonly unknown[] } }).aux;
}

test(`${size.mixed} containers at once are made, started, looked at, asked, paused, stopped and removed: each call ends in time`, {
  timeout,
}, async () => {
  const { api } = engine;
  let slowestMs = 0;
  const timed = async (method: string, path: string, statuses: readonly number[], json?: unknown): Promise<void> => {
    const began = performance.now();
    await expect(api, method, path, { statuses, json });
    slowestMs = Math.max(slowestMs, performance.now() - began);
  };
  await Promise.all(
    Array.from({ length: size.mixed }, async (_, index) => {
      const name = `mix-${index}`;
      await createContainer(api, name, { command: ['sh', '-c', 'echo line; exec sleep 1000'] });
      await timed('POST', `/containers/${name}/start`, [204]);
      const { Id } = await api.json<{ Id: string }>('POST', `/containers/${name}/exec`, { json: { Cmd: ['true'], AttachStdout: true } });
      await Promise.all([
        timed('POST', `/exec/${Id}/start`, [200], { Detach: false, Tty: false }),
        timed('GET', `/containers/${name}/stats?stream=0&one-shot=1`, [200]),
        timed('GET', `/containers/${name}/logs?stdout=1`, [200]),
        timed('GET', '/containers/json?all=1', [200]),
      ]);
      await timed('POST', `/containers/${name}/pause`, [204]);
      await timed('GET', `/containers/${name}/json`, [200]);
      await timed('POST', `/containers/${name}/unpause`, [204]);
      await timed('POST', `/containers/${name}/stop?t=0`, [204]);
      await timed('DELETE', `/containers/${name}?v=1`, [204]);
    }),
  );
  assert.deepEqual(await list(), []);
  assert.ok(slowestMs < longestCallMs, `the slowest call took ${slowestMs.toFixed(0)} ms`);
});

test(`${size.attached} clients are attached to one container, and each sees what it says`, { timeout }, async () => {
  const { api } = engine;
  await createContainer(api, 'said', { command: ['sh', '-c', 'read x; echo told; exec sleep 1000'], openStdin: true });
  await start('said');
  const clients = await Promise.all(
    Array.from({ length: size.attached }, async () => {
      const socket = connect(engine.places.socketPath);
      const seen = Promise.withResolvers<void>();
      let text = '';
      const upgraded = Promise.withResolvers<void>();
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        if (text.startsWith('HTTP/1.1 101')) upgraded.resolve();
        if (text.includes('told')) seen.resolve();
      });
      socket.on('error', seen.reject).on('close', () => seen.reject(new Error(`closed after ${JSON.stringify(text)}`)));
      socket.write(
        'POST /containers/said/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
      );
      await upgraded.promise;
      return { socket, seen: seen.promise };
    }),
  );
  clients[0]?.socket.write('now\n');
  await Promise.all(clients.map(({ seen }) => seen));
  for (const { socket } of clients) socket.removeAllListeners('close').destroy();
  await removeContainer(api, 'said');
});

test('a reader of events that keeps up loses none, and one that does not read is cut off with a reason', { timeout }, async () => {
  const { api } = engine;
  const events = await api.open('GET', '/events?filters={"type":["volume"]}');
  let text = '';
  const reading = (async () => {
    for await (const chunk of events) text += String(chunk);
  })().catch(() => undefined);
  const told = (): readonly string[] => text.split('\n').slice(0, -1);
  const stalled = connect(engine.places.socketPath);
  stalled.write('GET /events HTTP/1.1\r\nHost: d\r\n\r\n');
  stalled.on('error', () => undefined);
  stalled.pause();
  const count = size.volumes;
  await forEach(count, (index) => expect(api, 'POST', '/volumes/create', { statuses: [201], json: { Name: `v-${index}` } }));
  await forEach(count, (index) => expect(api, 'DELETE', `/volumes/v-${index}`, { statuses: [204] }));
  for (let tries = 0; told().length < count * 2 && tries < 500; tries += 1) await sleep(20);
  const actions = told().map((line) => (JSON.parse(line) as { readonly Action: string }).Action);
  assert.deepEqual(
    ['create', 'destroy'].map((action) => actions.filter((each) => each === action).length),
    [count, count],
  );
  // 600 events are fewer than the engine keeps for a reader.
  if (isWhole) assert.match(engine.log, behind);
  events.destroy();
  stalled.destroy();
  await reading;
});

const behind = /events reader fell 4096 events behind/;

test(`${size.running} containers run and ${size.stopped} have ended: lists, and a killed engine is back with each of them`, {
  timeout,
}, async (t) => {
  const { api } = engine;
  await forEach(size.running, async (index) => {
    await createContainer(api, `up-${index}`, sleeper);
    await start(`up-${index}`);
  });
  await forEach(size.stopped, async (index) => {
    await createContainer(api, `over-${index}`, { command: ['sh', '-c', `exit ${index % 100}`] });
    await start(`over-${index}`);
    await api.json('POST', `/containers/over-${index}/wait`);
  });
  const count = async (state: string) => (await list()).filter(({ State }) => State === state).length;
  assert.deepEqual([await count('running'), await count('exited')], [size.running, size.stopped]);
  const p99 = await listPercentile(99);
  t.diagnostic(`a list of ${size.running + size.stopped}: p99 ${p99.toFixed(1)} ms`);
  assert.ok(!isWhole || p99 < 20, `p99 ${p99.toFixed(1)} ms`);
  await createContainer(api, 'ends', { command: ['sh', '-c', 'sleep 2; exit 42'] });
  await start('ends');
  await engine.kill();
  await sleep(3_000);
  engine = await Daemon.start({ folder });
  for (let tries = 0; (await count('running')) !== size.running && tries < 500; tries += 1) await sleep(20);
  const { StatusCode } = await engine.api.json<{ StatusCode: number }>('POST', '/containers/ends/wait');
  assert.deepEqual([await count('running'), StatusCode], [size.running, 42], 'no exit code was lost');
  await forEach(size.running, (index) => removeContainer(engine.api, `up-${index}`));
  await forEach(size.stopped, (index) => removeContainer(engine.api, `over-${index}`));
  await removeContainer(engine.api, 'ends');
  assert.deepEqual(await list(), []);
});

/** Of the times of 500 lists of all, one after the other; the client only waits for the bytes. */
async function listPercentile(percent: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 500; round += 1) {
    const began = performance.now();
    await engine.api.call('GET', '/containers/json?all=1');
    times.push(performance.now() - began);
  }
  return times.toSorted((a, b) => a - b)[Math.floor((times.length * percent) / 100)] ?? Number.NaN;
}

test(`an engine that is killed under ${size.killed} containers answers soon, and no exit code of those that ended meanwhile is lost`, {
  timeout,
}, async (t) => {
  const { api } = engine;
  const codes = Array.from({ length: size.killed }, (_, index) => index % 100);
  await forEach(size.killed, async (index) => {
    // Every other one ends while nobody is there.
    const command = index % 2 === 0 ? sleeper.command : ['sh', '-c', `while [ ! -e /go/go ]; do sleep 0.2; done; exit ${codes[index]}`];
    await createContainer(api, `k-${index}`, { command, hostConfig: { Binds: ['go:/go'] } });
    await start(`k-${index}`);
  });
  const { Mountpoint } = await api.json<{ readonly Mountpoint: string }>('GET', '/volumes/go');
  await engine.kill();
  writeFileSync(join(Mountpoint, 'go'), '');
  await sleep(3_000);
  engine = await Daemon.start({ folder });
  t.diagnostic(`answered after ${engine.startedMs.toFixed(0)} ms`);
  assert.ok(!isWhole || engine.startedMs < 2_000, `${engine.startedMs.toFixed(0)} ms`);
  const ended = await Promise.all(
    codes.map(async (_, index) => {
      if (index % 2 === 0) return undefined;
      return (await engine.api.json<{ readonly StatusCode: number }>('POST', `/containers/k-${index}/wait`)).StatusCode;
    }),
  );
  assert.deepEqual(
    ended,
    codes.map((code, index) => (index % 2 === 0 ? undefined : code)),
  );
  const states = await Promise.all(codes.map((_, index) => statusOf(engine.api, `k-${index}`)));
  assert.deepEqual(
    states,
    codes.map((_, index) => (index % 2 === 0 ? 'running' : 'exited')),
  );
  await forEach(size.killed, (index) => removeContainer(engine.api, `k-${index}`));
  await expect(engine.api, 'DELETE', '/volumes/go', { statuses: [204] });
});
