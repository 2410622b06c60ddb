import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDescriptors, openRoom, until } from '../../support/engine/logs-room.ts';

test('Logs moves lines as they come, and a query right after the end has them all', async () => {
  await using room = openRoom();
  const container = room.container('memory');
  room.logs.start(container);
  room.write(container, 'one', 'two');
  assert.deepEqual(await room.read(container, {}, true), ['one\n', 'two\n']);
  room.write(container, ...Array.from({ length: 5_000 }, (_, index) => `line ${index}`));
  void room.logs.stop(container.info.id);
  const found = await room.read(container);
  assert.equal(found.length, 5_002);
  assert.equal(found.at(-1), 'line 4999\n');
});

test('Logs.stop empties the spool of a driver that can read, and the next run goes on with the numbers', async () => {
  await using room = openRoom();
  const container = room.container('memory');
  for (const run of ['first', 'second']) {
    const { dir } = room.logs.spool(container.info.id);
    room.logs.start(container);
    room.write(container, `${run} run`);
    await room.logs.stop(container.info.id);
    assert.deepEqual(readdirSync(dir), []);
  }
  assert.deepEqual(await room.read(container), ['first run\n', 'second run\n']);
});

test('Logs resends what a broken driver did not acknowledge, and a slow driver holds nobody up', async () => {
  await using room = openRoom();
  const container = room.container('memory');
  room.memory.isDown = true;
  room.logs.start(container);
  room.write(container, 'while it is down');
  await sleep(50);
  const before = performance.now();
  room.logs.spool(container.info.id);
  assert.ok(performance.now() - before < 100);
  room.memory.isDown = false;
  await until(() => room.memory.entries(container.info.id).length === 1);
  assert.ok(room.memory.opened > 1);
  assert.deepEqual(await room.read(container, {}, true), ['while it is down\n']);
});

test('Logs drops the oldest and says how much when a driver stays down and the spool is full', async () => {
  await using room = openRoom({ spoolMaxBytes: 50_000 });
  const container = room.container('memory');
  room.memory.isDown = true;
  room.logs.start(container);
  const text = 'x'.repeat(950);
  for (let segment = 0; segment < 8; segment += 1) {
    room.write(container, ...Array.from({ length: 100 }, (_, index) => `${segment}-${index} ${text}`));
    await room.rotate(container);
  }
  room.write(container, 'last');
  const { dir } = room.logs.spool(container.info.id);
  await until(() => readdirSync(dir).length < 9);
  room.memory.isDown = false;
  await room.logs.stop(container.info.id);
  const found = await room.read(container);
  assert.ok(found.length < 801 && found.length > 100, `${found.length} entries`);
  assert.equal(found.length + room.memory.dropped, 801);
  assert.equal(found.at(-1), 'last\n');
});

test('Logs loses nothing of a burst that is larger than the spool while the driver works through it', async () => {
  await using room = openRoom({ spoolMaxBytes: 50_000 });
  const container = room.container('memory');
  room.memory.delayMs = 30;
  room.logs.start(container);
  for (let segment = 0; segment < 3; segment += 1) {
    room.write(container, ...Array.from({ length: 1_000 }, (_, index) => `${segment}-${index} ${'x'.repeat(50)}`));
    await room.rotate(container);
  }
  await room.logs.stop(container.info.id);
  assert.equal((await room.read(container)).length, 3_000);
});

test('Logs.query follows over rotations of the spool and ends with the container, with nothing missing', async () => {
  for (const driver of ['memory', 'json-file', 'write-only']) {
    await using room = openRoom();
    const container = room.container(driver);
    room.logs.start(container);
    room.write(container, 'first');
    let isRunning = true;
    const following = room.read(container, { follow: true }, () => isRunning);
    await sleep(30);
    for (let round = 0; round < 5; round += 1) {
      room.write(container, ...Array.from({ length: 200 }, (_, index) => `${round} ${index}`));
      await sleep(15);
      await room.rotate(container);
    }
    room.write(container, 'last');
    isRunning = false;
    await room.logs.stop(container.info.id);
    const found = await following;
    assert.deepEqual([found.length, found[0], found.at(-1)], [1_002, 'first\n', 'last\n'], driver);
  }
});

test('Logs.query reads the spool of a driver that cannot read: tail, since, streams, an unfinished line', async () => {
  await using room = openRoom();
  const container = room.container('write-only');
  room.logs.start(container);
  room.write(container, 'one', 'two', 'three');
  appendFileSync(room.file(container), '2026-01-01T00:00:09.000000000+00:00 stderr P unfinished\n');
  await room.logs.stop(container.info.id);
  assert.deepEqual(await room.read(container), ['one\n', 'two\n', 'three\n', 'unfinished']);
  assert.deepEqual(await room.read(container, { tail: 2 }), ['three\n', 'unfinished']);
  assert.deepEqual(await room.read(container, { stdout: false }), ['unfinished']);
  assert.deepEqual(await room.read(container, { since: { seconds: Date.UTC(2026, 0, 1, 0, 0, 9) / 1e3, nanos: 0 } }), ['unfinished']);
});

test('Logs.query reads what a driver that is away has not taken, and does not wait for it', async () => {
  await using room = openRoom();
  const container = room.container('write-only');
  room.memory.isDown = true;
  room.logs.start(container);
  room.write(container, 'one', 'two');
  const before = performance.now();
  assert.deepEqual(await room.read(container, {}, true), ['one\n', 'two\n']);
  assert.ok(performance.now() - before < 1_000);
  assert.equal(room.memory.entries(container.info.id).length, 0);
});

test('Logs.query with cache-disabled says that the driver cannot read, keeps nothing that was delivered, and the driver is not asked about it', async () => {
  await using room = openRoom();
  await room.logs.validate('write-only', {
    'cache-disabled': 'true',
    'cache-max-size': '10m',
    'cache-max-file': '2',
    'cache-compress': 'true',
  });
  const container = { ...room.container('write-only'), options: { 'cache-disabled': 'true' } };
  room.logs.start(container);
  room.write(container, 'one');
  await room.logs.stop(container.info.id);
  await assert.rejects(room.read(container), { code: 'not_implemented', message: 'configured logging driver does not support reading' });
  assert.deepEqual(readdirSync(room.logs.spool(container.info.id).dir), []);
  assert.equal(room.memory.entries(container.info.id).length, 1);
  const readable = { ...room.container('memory'), options: { 'cache-disabled': 'true' } };
  room.logs.start(readable);
  room.write(readable, 'here');
  assert.deepEqual(await room.read(readable, {}, true), ['here\n']);
});

test('Logs keeps as much of what was delivered as cache-max-size and cache-max-file say, and all that was not', async () => {
  await using room = openRoom();
  const container = { ...room.container('write-only'), options: { 'cache-max-size': '100k', 'cache-max-file': '2' } };
  room.logs.start(container);
  const fill = async (): Promise<void> => {
    for (let segment = 0; segment < 8; segment += 1) {
      room.write(container, ...Array.from({ length: 100 }, () => 'x'.repeat(950)));
      await room.rotate(container);
    }
  };
  const files = (): number => readdirSync(room.logs.spool(container.info.id).dir).filter((name) => /\.\d+$/.test(name)).length;
  await fill();
  await until(() => files() <= 3);
  room.memory.isDown = true;
  await fill();
  await sleep(200);
  assert.ok(files() >= 8, `${files()} files`);
});

const badCache: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ 'cache-disabled': 'perhaps' }, /^invalid value for option cache-disabled: perhaps$/],
  [{ 'cache-max-size': '-1' }, /cache-max-size=-1/],
  [{ 'cache-max-file': '0' }, /cache-max-file=0/],
  [{ 'cache-compress': 'maybe' }, /cache-compress=maybe/],
  [{ 'cache-nonsense': '1' }, /unknown log opt 'cache-nonsense'/],
];
for (const [options, message] of badCache) {
  test(`Logs.validate refuses ${JSON.stringify(options)}`, async () => {
    await using room = openRoom();
    await assert.rejects(room.logs.validate('none', options), { code: 'invalid_argument', message });
  });
}

test('Logs.query says in Docker’s words that the none driver keeps nothing', async () => {
  await using room = openRoom();
  const container = room.container('none');
  room.logs.start(container);
  room.write(container, 'gone');
  await room.logs.stop(container.info.id);
  await assert.rejects(room.read(container), { code: 'not_implemented', message: 'configured logging driver does not support reading' });
});

test('Logs.query with follow ends at `until` when nothing comes', async () => {
  await using room = openRoom();
  const container = room.container('memory');
  room.logs.start(container);
  const soon = Date.now() + 150;
  const before = performance.now();
  assert.deepEqual(
    await room.read(container, { follow: true, until: { seconds: Math.floor(soon / 1e3), nanos: (soon % 1e3) * 1e6 } }, true),
    [],
  );
  assert.ok(performance.now() - before < 2_000);
});

test('Logs.query lets go of everything when the reader leaves', async () => {
  await using room = openRoom();
  const container = room.container('json-file');
  room.logs.start(container);
  room.write(container, 'one');
  const before = await room.fds(container);
  for (let index = 0; index < 20; index += 1) {
    const left = new AbortController();
    const stream = await room.logs.query(container, { stdout: true, stderr: true, follow: true, signal: left.signal }, () => true);
    const reading = Array.fromAsync(stream.lines);
    if (index % 2 === 0) left.abort(new DOMException('left', 'AbortError'));
    else setTimeout(() => left.abort(new DOMException('left', 'AbortError')), 5);
    await assert.rejects(reading, { name: 'AbortError' });
  }
  await until(async () => (await room.fds(container)) <= before);
});

test('a quiet running container costs at most two descriptors, however many there are', async () => {
  await using room = openRoom();
  const before = openDescriptors();
  const containers = Array.from({ length: 20 }, () => room.container('json-file'));
  for (const container of containers) {
    room.logs.start(container);
    room.write(container, 'hello');
  }
  await until(() => containers.every(({ info }) => existsSync(join(info.dir, `${info.id}-json.log`))));
  await sleep(200);
  assert.ok(openDescriptors() - before <= 2 * containers.length + 2, `${openDescriptors() - before} descriptors`);
});

test('Logs.purge deletes spool, cursor and the driver’s files; twice is fine', async () => {
  await using room = openRoom();
  const container = room.container('json-file');
  room.logs.start(container);
  room.write(container, 'one');
  await room.logs.stop(container.info.id);
  assert.ok(existsSync(await room.logs.path(container)));
  await room.logs.purge(container);
  await room.logs.purge(container);
  assert.deepEqual(readdirSync(container.info.dir), []);
  assert.ok(!existsSync(room.logs.spool(container.info.id).dir) || readdirSync(room.logs.spool(container.info.id).dir).length === 0);
});

test('Logs keeps both runs apart when a container starts again while a slow driver still takes the first', async () => {
  await using room = openRoom();
  const container = room.container('memory');
  room.memory.delayMs = 30;
  room.logs.start(container);
  room.write(container, ...Array.from({ length: 3_000 }, (_, index) => `first ${index}`));
  void room.logs.stop(container.info.id);
  room.logs.spool(container.info.id);
  room.write(container, 'second');
  room.logs.start(container);
  await sleep(20);
  room.write(container, 'second, later');
  await room.logs.stop(container.info.id);
  const found = await room.read(container);
  assert.deepEqual([found.length, ...found.slice(-2)], [3_002, 'second\n', 'second, later\n']);
});
