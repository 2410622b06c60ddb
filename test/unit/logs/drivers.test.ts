import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openRoom } from '../../support/engine/logs-room.ts';

test('Logs counts among what was dropped the lines of a spool that are torn', async () => {
  await using room = openRoom();
  const container = room.container('memory');
  room.logs.start(container);
  room.write(container, 'whole');
  appendFileSync(room.file(container), 'torn by a full disk\n2026-01-01T00:00:0\n');
  room.write(container, 'whole again');
  await room.logs.stop(container.info.id);
  assert.deepEqual([await room.read(container), room.memory.dropped], [['whole\n', 'whole again\n'], 2]);
});

test('Logs leaves a driver alone for as long as it asks, and tells its warnings once a minute', async () => {
  await using room = openRoom();
  for (const name of ['resting', 'failing']) {
    const container = room.container(name);
    const began = performance.now();
    room.logs.start(container);
    for (let line = 0; line < 20; line += 1) {
      room.write(container, `line ${line}`);
      await sleep(25);
    }
    await room.logs.stop(container.info.id);
    assert.equal(room.takenLate.get(name)?.length, 20);
    const [first = 0, second = 0] = room.takenAt.get(name) ?? [];
    assert.ok(second - first > 550, `${name} was asked again after ${second - first} ms`);
    assert.ok(performance.now() - began < 4_500);
  }
  assert.deepEqual(
    room.said.filter((text) => text.includes('back end')),
    ['the back end is slow'],
  );
});

test('a log driver that answers without end keeps nobody else from anything', async () => {
  await using room = openRoom();
  room.logs.start(room.container('endless'));
  const began = performance.now();
  for (let turn = 0; turn < 10; turn += 1) await sleep(1);
  assert.ok(performance.now() - began < 2_000, `${performance.now() - began} ms`);
});
