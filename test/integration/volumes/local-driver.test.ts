import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { LocalDriver } from '../../../plugins/volume/local/driver.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const mebibyte = 1 << 20;

const refused: readonly (readonly [options: Readonly<Record<string, string>>, message: RegExp])[] = [
  [{ colour: 'red' }, /^invalid option: "colour"$/],
  [{ type: 'tmpfs' }, /^missing required option: "device"$/],
  [{ device: '/x' }, /^missing required option: "type"$/],
  [{ o: 'ro' }, /^missing required option: "device"$/],
  [{ type: 'overlay', device: 'x', o: 'upperdir=/x' }, /"upperdir" may not be in "o"$/],
  [{ type: 'ext4', device: '/dev/x', o: 'loop' }, /"loop" may not be in "o"$/],
  [{ type: 'none', device: 'rel', o: 'bind' }, /device=rel: a bind needs an absolute path$/],
  [{ type: 'tmpfs', device: 'tmpfs', size: '1x' }, /^option size=1x: must be bytes, with k, m, g or % after them$/],
  [{ type: 'nfs', device: ':/x', o: 'addr=a', size: '1g' }, /no quota support: "size" does not limit mounts of type nfs$/],
  [{ type: 'tmpfs', device: 'tmpfs', uid: '5' }, /^invalid option: "uid" is for volumes that are folders/],
  [{ type: 'tmpfs', device: 'tmpfs', mode: '700' }, /^invalid option: "mode" is for volumes that are folders/],
  [{ size: '' }, /^option size=: must be bytes, more than 0/],
  [{ size: '0' }, /^option size=0: must be bytes, more than 0/],
  [{ size: '-1g' }, /^option size=-1g/],
  [{ size: '1.5g' }, /^option size=1.5g/],
  [{ size: '99999999t' }, /^option size=99999999t/],
  [{ size: '1m' }, /^option size: a volume with a limit has at least 8388608 bytes here$/],
  [{ uid: 'root' }, /^option uid=root: must be a number from 0 to 4294967294$/],
  [{ uid: '-1' }, /^option uid=-1/],
  [{ gid: '4294967295' }, /^option gid=4294967295/],
  [{ mode: '8' }, /^option mode=8: must be three or four octal digits$/],
  [{ mode: '0999' }, /^option mode=0999/],
  [{ mode: 'u+x' }, /^option mode=u\+x/],
];
for (const [options, message] of refused) {
  test(`LocalDriver.create() refuses ${JSON.stringify(options)}, names the option and leaves nothing`, async () => {
    using house = openHouse();
    await assert.rejects(house.driver.create({ name: 'data', options, labels: {} }, ctx), { code: 'invalid_argument', message });
    assert.deepEqual(readdirSync(house.dataDir), []);
  });
}

test('LocalDriver.create() gives the folder to whom the options name', async () => {
  using house = openHouse();
  const { volume } = await house.create('data', { uid: '1000', gid: '2000', mode: '2770' });
  const { uid, gid, mode } = statSync(join(house.dataDir, 'data', '_data'));
  assert.deepEqual([uid, gid, mode & 0o7777, volume.keepsRoot], [1000, 2000, 0o2770, true]);
});

const described: readonly (readonly [options: Readonly<Record<string, string>>, mount: object])[] = [
  [
    { type: 'nfs', device: ':/export', o: 'addr=server.example,rw,nfsvers=4' },
    { type: 'nfs', source: { opaque: ':/export' }, options: ['addr=server.example', 'rw', 'nfsvers=4'] },
  ],
  [
    { type: 'cifs', device: '//server/share', o: 'addr=server,username=u,password=p' },
    { type: 'cifs', source: { opaque: '//server/share' }, options: ['addr=server', 'username=u', 'password=p'] },
  ],
  [
    { type: 'tmpfs', device: 'tmpfs', o: 'size=100m,uid=1000' },
    { type: 'tmpfs', source: { opaque: 'tmpfs' }, options: ['size=100m', 'uid=1000'] },
  ],
  [
    { type: 'tmpfs', device: 'tmpfs', size: '50%' },
    { type: 'tmpfs', source: { opaque: 'tmpfs' }, options: ['size=50%'] },
  ],
  [
    { type: 'none', device: '/srv', o: 'bind' },
    { type: 'bind', source: { host: '/srv' } },
  ],
  [
    { type: 'none', device: '/srv', o: 'rbind,ro' },
    { type: 'bind', source: { host: '/srv' }, options: ['ro'] },
  ],
  [
    { type: 'ext4', device: '/dev/vdb1', o: 'noatime' },
    { type: 'ext4', source: { device: '/dev/vdb1' }, options: ['noatime'] },
  ],
  [
    { type: 'erofs', device: '/images/a.erofs' },
    { type: 'erofs', source: { host: '/images/a.erofs' } },
  ],
  [
    { type: 'btrfs', device: 'LABEL=data' },
    { type: 'btrfs', source: { opaque: 'LABEL=data' } },
  ],
];
for (const [options, mount] of described) {
  test(`LocalDriver.attach() describes ${JSON.stringify(options)}`, async () => {
    using house = openHouse();
    await house.create('data', options);
    const { attachment } = await house.driver.attach({ name: 'data', attachmentId: 'a', readOnly: false, options }, ctx);
    assert.deepEqual(attachment.mounts, [mount]);
  });
}

test('LocalDriver copies a volume that somebody writes to on btrfs, and nowhere else', async (context) => {
  const writing = { name: 'data', attachmentId: 'a', readOnly: false, options: {} };
  using house = openHouse();
  await house.create('data');
  await house.driver.attach(writing, ctx);
  await assert.rejects(house.driver.clone({ name: 'copy', from: 'data', options: {} }, ctx), {
    code: 'conflict',
    message: /is attached, and this file system cannot copy it while somebody writes/,
  });
  await house.driver.detach({ name: 'data', attachmentId: 'a', last: true });
  await house.driver.attach({ ...writing, readOnly: true }, ctx);
  await house.driver.clone({ name: 'copy', from: 'data', options: {} }, ctx);
  const disk = withDisk('mkfs.btrfs', 128);
  if (disk === undefined) return context.skip('needs mkfs.btrfs and the kernel’s btrfs');
  using _mounted = disk;
  using onBtrfs = openHouse(disk.path);
  await onBtrfs.create('data');
  writeFileSync(onBtrfs.file('data'), 'then');
  await onBtrfs.driver.attach(writing, ctx);
  await onBtrfs.driver.snapshot({ name: 'kept', from: 'data' }, ctx);
  writeFileSync(onBtrfs.file('data'), 'now');
  assert.equal(readFileSync(onBtrfs.file('kept'), 'utf8'), 'then');
  await onBtrfs.driver.detach({ name: 'data', attachmentId: 'a', last: true });
  for (const name of ['data', 'kept']) await onBtrfs.driver.remove({ name, force: false });
  assert.deepEqual(readdirSync(onBtrfs.dataDir), []);
});

test('LocalDriver limits a folder by a project quota where the file system has them', async (context) => {
  const disk = withDisk('mkfs.ext4', 64, ['-O', 'quota,project', '-E', 'quotatype=prjquota'], 'prjquota');
  if (disk === undefined) return context.skip('needs a kernel with project quotas');
  using _mounted = disk;
  using house = openHouse(disk.path);
  const { volume } = await house.create('data', { size: '4m' });
  assert.equal(volume.dataPath, 'data/_data');
  assert.throws(() => writeFileSync(house.file('data'), Buffer.alloc(8 * mebibyte)), { code: /^(EDQUOT|ENOSPC)$/ });
  assert.equal((await house.driver.usage({ name: 'data' }, ctx)).capacity, 4 * mebibyte);
  await assert.rejects(house.driver.resize({ name: 'data', bytes: mebibyte }, ctx), { code: 'conflict' });
  await house.driver.resize({ name: 'data', bytes: 16 * mebibyte }, ctx);
  writeFileSync(house.file('data'), Buffer.alloc(8 * mebibyte));
});

test('LocalDriver makes a limited copy of a volume that has no limit, if what is in it fits', async () => {
  using house = openHouse();
  await house.create('data');
  writeFileSync(house.file('data'), Buffer.alloc(12 * mebibyte, 1));
  await assert.rejects(house.driver.clone({ name: 'small', from: 'data', options: { size: '8m' } }, ctx), {
    code: 'conflict',
    message: /does not fit into 8388608 bytes/,
  });
  await house.driver.clone({ name: 'large', from: 'data', options: { size: '32m' } }, ctx);
  const { capacity, bytes } = await house.driver.usage({ name: 'large' }, ctx);
  assert.equal(capacity, 32 * mebibyte);
  assert.ok(bytes >= 12 * mebibyte);
  await assert.rejects(house.driver.resize({ name: 'large', bytes: 8 * mebibyte }, ctx), { code: 'conflict', message: /does not fit/ });
  assert.equal((await house.driver.usage({ name: 'large' }, ctx)).capacity, 32 * mebibyte);
  assert.deepEqual(readdirSync(house.dataDir).toSorted(), ['data', 'large']);
});

test('LocalDriver mends a disk whose change of size was cut short before anybody uses it', async () => {
  using house = openHouse();
  await house.create('data', { size: '16m' });
  const disk = join(house.dataDir, 'data', 'disk.img');
  // The file has grown, the descriptors of the groups are lost, and what a shrinking made lies beside it.
  writeFileSync(`${disk}.resizing`, '');
  writeFileSync(`${disk}.smaller`, 'half');
  truncateSync(disk, 32 * mebibyte);
  execFileSync('dd', ['if=/dev/zero', `of=${disk}`, 'bs=1024', 'seek=2', 'count=1', 'conv=notrunc', 'status=none']);
  assert.notEqual(spawnSync('e2fsck', ['-n', '-f', disk]).status, 0);
  await house.driver.attach({ name: 'data', attachmentId: 'a', readOnly: false, options: {} }, ctx);
  assert.equal(spawnSync('e2fsck', ['-n', '-f', disk]).status, 0);
  assert.deepEqual(readdirSync(join(house.dataDir, 'data')).toSorted(), ['disk.img', 'opts.json', 'shape.json']);
  assert.equal((await house.driver.usage({ name: 'data' }, ctx)).capacity, 16 * mebibyte, 'what it says is what fits into it');
  await house.driver.detach({ name: 'data', attachmentId: 'a', last: true });
  await house.driver.resize({ name: 'data', bytes: 32 * mebibyte }, ctx);
  assert.equal((await house.driver.usage({ name: 'data' }, ctx)).capacity, 32 * mebibyte);
});

test('LocalDriver.resize() leaves a disk alone that somebody has mounted, whoever attached it', async () => {
  using house = openHouse();
  await house.create('data', { size: '16m' });
  const disk = join(house.dataDir, 'data', 'disk.img');
  const target = mkdtempSync(join(tmpdir(), 'mounted-'));
  execFileSync('mount', ['-o', 'loop', disk, target]);
  try {
    // Another one, that knows nothing of who attached it.
    const driver = new LocalDriver(house.dataDir);
    const message = 'it is mounted: it cannot be resized now';
    for (const bytes of [8 * mebibyte, 32 * mebibyte])
      await assert.rejects(driver.resize({ name: 'data', bytes }, ctx), { code: 'conflict', reason: 'VOLUME_BUSY', message });
    assert.equal(statSync(disk).size, 16 * mebibyte);
  } finally {
    execFileSync('umount', [target]);
    rmSync(target, { recursive: true });
  }
});

test('LocalDriver goes on with what a killed one left half made, and what is damaged hides nothing else', async () => {
  using house = openHouse();
  await house.create('data');
  await house.create('other', { uid: '5' });
  mkdirSync(join(house.dataDir, '.new-abc', '_data'), { recursive: true });
  writeFileSync(join(house.dataDir, 'other', 'opts.json'), '{"uid":');
  const driver = new LocalDriver(house.dataDir);
  assert.deepEqual(readdirSync(house.dataDir), ['data', 'other']);
  const listed = await Array.fromAsync(driver.list({}, ctx));
  assert.deepEqual(
    listed.map(({ name, status }) => [name, status?.['error']?.slice(0, 34)]),
    [
      ['data', undefined],
      ['other', 'options of volume other cannot be r'.slice(0, 34)],
    ],
  );
});

function openHouse(parent = tmpdir()) {
  const folder = mkdtempSync(join(parent, 'local-'));
  const dataDir = join(folder, 'data');
  const driver = new LocalDriver(dataDir);
  return {
    dataDir,
    driver,
    create: (name: string, options: Readonly<Record<string, string>> = {}) => driver.create({ name, options, labels: {} }, ctx),
    file: (name: string) => join(dataDir, name, '_data', 'file'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

/** A file system of its own; undefined where it cannot be made or mounted. */
function withDisk(
  program: string,
  sizeMiB: number,
  given: readonly string[] = [],
  options = '',
): (Disposable & { readonly path: string }) | undefined {
  const path = mkdtempSync(join(tmpdir(), 'disk-'));
  const image = `${path}.img`;
  writeFileSync(image, '');
  truncateSync(image, sizeMiB * mebibyte);
  const isMade = spawnSync(program, ['-q', ...given, image], { stdio: 'ignore' }).status === 0;
  const list = ['loop', ...(options === '' ? [] : [options])].join(',');
  const isMounted = isMade && spawnSync('mount', ['-o', list, image, path], { stdio: 'ignore' }).status === 0;
  rmSync(image);
  if (isMounted) {
    return {
      path,
      [Symbol.dispose]: () => {
        execFileSync('umount', [path]);
        rmSync(path, { recursive: true });
      },
    };
  }
  rmSync(path, { recursive: true });
  return undefined;
}
