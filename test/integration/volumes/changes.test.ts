import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { openHouse } from '../../support/engine/volume-house.ts';

inNamespaces(import.meta.url);
leakGuard();

const rw = { readOnly: false };

test('VolumesRoom.rename moves the volume with its data, labels and options, and makes an anonymous one a named one', async () => {
  await using house = openHouse();
  const { mountpoint, name } = await house.room.create({ labels: { team: 'a' }, options: { mode: '700' } });
  writeFileSync(join(mountpoint, 'file'), 'kept');
  const renamed = await house.room.rename(name, 'pictures');
  assert.deepEqual(
    [renamed.name, renamed.labels, renamed.options, renamed.mountpoint],
    ['pictures', { team: 'a' }, { mode: '700' }, join(house.dataDir, 'pictures', '_data')],
  );
  assert.equal(readFileSync(join(renamed.mountpoint, 'file'), 'utf8'), 'kept');
  assert.deepEqual(
    (await house.room.list({})).volumes.map((volume) => volume.name),
    ['pictures'],
  );
  assert.deepEqual((await house.room.prune({})).deleted, []);
  assert.equal(house.database.all('SELECT * FROM intents').length, 0);
  assert.deepEqual(house.events('rename')[0]?.actor.attributes, { driver: 'local', oldName: name });
  assert.deepEqual(
    (await house.restart().list({})).volumes.map((volume) => volume.name),
    ['pictures'],
  );
});

test('VolumesRoom.clone and snapshot make volumes of their own, with the labels that they are given', async () => {
  await using house = openHouse();
  const { mountpoint } = await house.room.create({ name: 'data', labels: { team: 'a' }, options: { uid: '5' } });
  writeFileSync(join(mountpoint, 'file'), 'then');
  const cloned = await house.room.clone({ from: 'data', name: 'copy', options: { gid: '6' }, labels: { team: 'b' } });
  const kept = await house.room.snapshot({ from: 'data', name: 'kept' });
  writeFileSync(join(mountpoint, 'file'), 'now');
  assert.deepEqual([cloned.options, cloned.labels, cloned.snapshotOf], [{ uid: '5', gid: '6' }, { team: 'b' }, undefined]);
  assert.deepEqual([kept.options, kept.labels, kept.snapshotOf], [{ uid: '5' }, null, 'data']);
  for (const { mountpoint: path } of [cloned, kept]) assert.equal(readFileSync(join(path, 'file'), 'utf8'), 'then');
  await assert.rejects(house.room.attach('c1', 'web', 'kept', rw), { code: 'conflict', message: /can only be mounted read-only/ });
  const { path } = await house.room.attach('c1', 'web', 'kept', { readOnly: true });
  assert.throws(() => writeFileSync(join(path, 'file'), 'x'), { code: 'EROFS' });
  await house.room.detach('c1', 'kept');
  await house.room.remove('data', { force: false });
  assert.equal((await house.restart().inspect('kept')).snapshotOf, 'data');
});

type House = ReturnType<typeof openHouse>;
const refusedChanges: Readonly<Record<string, readonly [ask: (house: House) => Promise<unknown>, code: string, message: RegExp]>> = {
  'rename of nothing': [({ room }) => room.rename('nobody', 'other'), 'not_found', /^get nobody: no such volume$/],
  'rename to a path': [({ room }) => room.rename('data', '../x'), 'invalid_argument', /invalid characters/],
  'rename to a short name': [({ room }) => room.rename('data', 'x'), 'invalid_argument', /too short/],
  'rename to no name': [({ room }) => room.rename('data', ''), 'invalid_argument', /invalid characters/],
  'rename to a taken name': [
    ({ room }) => room.rename('data', 'far'),
    'conflict',
    /^rename far: conflict: .*driver "down" already has volume "far"$/,
  ],
  'rename to itself': [({ room }) => room.rename('data', 'data'), 'conflict', /already has volume "data"/],
  'rename of a used one': [({ room }) => room.rename('used', 'other'), 'conflict', /^rename used: volume is in use - \[c1\]$/],
  'rename by a driver that cannot': [
    ({ room }) => room.rename('far', 'other'),
    'not_implemented',
    /^volume driver down cannot rename volumes$/,
  ],
  'clone of nothing': [({ room }) => room.clone({ from: 'nobody', name: 'copy' }), 'not_found', /no such volume/],
  'clone to a taken name': [({ room }) => room.clone({ from: 'data', name: 'used' }), 'conflict', /^clone used: conflict/],
  'clone to itself': [({ room }) => room.clone({ from: 'data', name: 'data' }), 'conflict', /^clone data: conflict/],
  'clone to a path': [({ room }) => room.clone({ from: 'data', name: 'a/b' }), 'invalid_argument', /invalid characters/],
  'clone with a wrong option': [
    ({ room }) => room.clone({ from: 'data', name: 'copy', options: { colour: 'red' } }),
    'invalid_argument',
    /invalid option: "colour"/,
  ],
  'clone into a mount': [
    ({ room }) => room.clone({ from: 'data', name: 'copy', options: { type: 'tmpfs', device: 'tmpfs' } }),
    'invalid_argument',
    /a copy of volume data is a folder/,
  ],
  'clone of a mount': [({ room }) => room.clone({ from: 'mounted', name: 'copy' }), 'not_implemented', /mounted from elsewhere/],
  'clone by a driver that cannot': [({ room }) => room.clone({ from: 'far', name: 'copy' }), 'not_implemented', /cannot clone volumes/],
  'snapshot of a mount': [
    ({ room }) => room.snapshot({ from: 'mounted', name: 'copy' }),
    'not_implemented',
    /there can be no snapshot of it/,
  ],
  'snapshot by a driver that cannot': [({ room }) => room.snapshot({ from: 'far', name: 'copy' }), 'not_implemented', /cannot snapshot/],
  'snapshot to a taken name': [({ room }) => room.snapshot({ from: 'data', name: 'used' }), 'conflict', /^snapshot used: conflict/],
  'resize of nothing': [({ room }) => room.resize('nobody', 1 << 30), 'not_found', /no such volume/],
  'resize of what has no size': [({ room }) => room.resize('data', 1 << 30), 'not_implemented', /was made without a size/],
  'resize of a mount': [({ room }) => room.resize('mounted', 1 << 30), 'not_implemented', /the driver cannot limit it/],
  'resize to nothing': [({ room }) => room.resize('data', 0), 'invalid_argument', /cannot be resized to 0 bytes/],
  'resize to half a byte': [({ room }) => room.resize('data', 0.5), 'invalid_argument', /cannot be resized to 0.5 bytes/],
  'resize by a driver that cannot': [({ room }) => room.resize('far', 1 << 30), 'not_implemented', /cannot resize volumes/],
};
for (const [what, [ask, code, message]] of Object.entries(refusedChanges)) {
  test(`VolumesRoom refuses the ${what} and leaves everything as it was`, async () => {
    await using house = openHouse();
    await house.room.create({ name: 'data' });
    await house.room.create({ name: 'used' });
    await house.room.create({ name: 'far', driver: 'down' });
    await house.room.create({ name: 'mounted', options: { type: 'tmpfs', device: 'tmpfs' } });
    house.room.reference('c1', 'used');
    const before = [await house.room.list({}), readdirSync(house.dataDir)];
    await assert.rejects(ask(house), { code, message });
    assert.deepEqual([await house.room.list({}), readdirSync(house.dataDir)], before);
    assert.equal(house.database.all('SELECT * FROM intents').length, 0);
    house.room.reference('c2', 'data');
  });
}
