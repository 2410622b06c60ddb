import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  btrfsQuotaMode,
  createQuotaGroup,
  createSubvolume,
  deleteQuotaGroup,
  deleteSubvolume,
  enableBtrfsQuota,
  freezeSubvolume,
  joinQuotaGroup,
  limitQuotaGroup,
  reclaimSubvolumes,
  snapshotSubvolume,
  subvolumeAt,
  subvolumeUsage,
} from '@gantry/sdk/linux';
import { missingForDisk, withDisk } from '../../support/disks/disk.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { missing: missingForDisk('btrfs') });

const disk = withDisk('btrfs', { sizeMiB: 256 });
leakGuard();
after(() => disk[Symbol.asyncDispose]());

test('snapshotSubvolume() shares what is there, and neither side sees what the other changes', async () => {
  const folder = newFolder();
  await createSubvolume(folder, 'one');
  writeFileSync(join(folder, 'one/file'), 'one');
  await snapshotSubvolume(join(folder, 'one'), folder, 'two');
  writeFileSync(join(folder, 'two/file'), 'two');
  assert.equal(readFileSync(join(folder, 'one/file'), 'utf8'), 'one');
  await assert.rejects(snapshotSubvolume(join(folder, 'one'), folder, 'two'), { code: 'EEXIST' });
  for (const name of ['one', 'two']) await deleteSubvolume(folder, name);
  assert.deepEqual(readdirSync(folder), []);
});

test('subvolumeAt() knows subvolumes from folders, links and other file systems', async () => {
  const folder = newFolder();
  await createSubvolume(folder, 'one');
  mkdirSync(join(folder, 'folder'));
  symlinkSync('one', join(folder, 'link'));
  assert.ok(subvolumeAt(join(folder, 'one')));
  for (const path of [folder, join(folder, 'folder'), join(folder, 'link'), join(folder, 'nothing'), '/proc', '/run'])
    assert.equal(subvolumeAt(path), undefined, path);
  await deleteSubvolume(folder, 'one');
  await assert.rejects(createSubvolume('/run', 'one'), { code: 'ENOTTY' });
});

test('freezeSubvolume() refuses changes from then on; what is made of it takes them', async () => {
  const folder = newFolder();
  await createSubvolume(folder, 'one');
  for (let time = 0; time < 2; time++) await freezeSubvolume(join(folder, 'one'));
  assert.throws(() => writeFileSync(join(folder, 'one/file'), 'x'), { code: 'EROFS' });
  await snapshotSubvolume(join(folder, 'one'), folder, 'two');
  writeFileSync(join(folder, 'two/file'), 'x');
  for (const name of ['two', 'one']) await deleteSubvolume(folder, name);
});

test('deleteSubvolume() takes along what somebody made inside: frozen, deep, and behind paths that are too long for the kernel', async () => {
  const folder = newFolder();
  await createSubvolume(folder, 'top');
  const inside = ['first', 'second', 'third'].flatMap((name) => [...Array<string>(6).fill('n'.repeat(250)), name]);
  const script = `
import fcntl, os, struct, subprocess, sys
BTRFS_IOC_SUBVOL_SETFLAGS, RDONLY = 0x4008941a, 2
for name in sys.argv[1:]:
    if len(name) == 250:
        os.mkdir(name)
    else:
        subprocess.run(['btrfs', '-q', 'subvolume', 'create', name], check=True)
        subprocess.run(['btrfs', '-q', 'subvolume', 'create', 'beside'], check=True)
    os.chdir(name)
for name in reversed(sys.argv[1:]):
    os.chdir('..')
    if len(name) < 250: fcntl.ioctl(os.open(name, os.O_RDONLY), BTRFS_IOC_SUBVOL_SETFLAGS, struct.pack('Q', RDONLY))
`;
  execFileSync('python3', ['-c', script, ...inside], { cwd: join(folder, 'top') });
  await freezeSubvolume(join(folder, 'top'));
  await deleteSubvolume(folder, 'top');
  assert.deepEqual(readdirSync(folder), []);
  assert.equal(execFileSync('btrfs', ['subvolume', 'list', disk.path], { encoding: 'utf8' }), '');
  await assert.rejects(deleteSubvolume(folder, 'top'), { code: 'ENOENT' });
});

test('deleteSubvolume() follows no link and deletes no folder', async () => {
  const folder = newFolder();
  await createSubvolume(folder, 'one');
  mkdirSync(join(folder, 'folder'));
  symlinkSync('one', join(folder, 'link'));
  for (const name of ['folder', 'link']) await assert.rejects(deleteSubvolume(folder, name));
  assert.ok(existsSync(join(folder, 'one')));
  await deleteSubvolume(folder, 'one');
});

test('subvolumeUsage() counts what was written since the snapshot was made', async () => {
  const folder = newFolder();
  await createSubvolume(folder, 'one');
  writeFileSync(join(folder, 'one/below'), Buffer.alloc(4 << 20, 1));
  await snapshotSubvolume(join(folder, 'one'), folder, 'two');
  assert.deepEqual(await subvolumeUsage(join(folder, 'two')), { bytes: 0, inodes: 0 });
  writeFileSync(join(folder, 'two/large'), Buffer.alloc(1 << 20, 1));
  writeFileSync(join(folder, 'two/small'), 'in its own inode');
  execFileSync('sync', ['-f', folder]);
  assert.deepEqual(await subvolumeUsage(join(folder, 'two')), { bytes: (1 << 20) + 'in its own inode'.length, inodes: 2 });
  for (const name of ['two', 'one']) await deleteSubvolume(folder, name);
});

test('a quota group of another level counts and limits what belongs to it, as long as something does', async () => {
  assert.equal(btrfsQuotaMode(disk.path), undefined);
  await enableBtrfsQuota(disk.path, 'simple');
  assert.equal(btrfsQuotaMode(disk.path), 'simple');
  const folder = newFolder();
  await createSubvolume(folder, 'one');
  const id = subvolumeAt(join(folder, 'one'))?.id ?? 0n;
  const [own, above] = [
    { level: 0, id },
    { level: 1, id },
  ];
  for (let time = 0; time < 2; time++) {
    await createQuotaGroup(folder, above);
    await joinQuotaGroup(folder, own, above);
    await limitQuotaGroup(folder, above, 4 << 20);
  }
  assert.throws(() => writeFileSync(join(folder, 'one/file'), Buffer.alloc(8 << 20, 1)), { errno: -122 });
  await limitQuotaGroup(folder, above, undefined);
  writeFileSync(join(folder, 'one/file'), Buffer.alloc(8 << 20, 1));
  await assert.rejects(deleteQuotaGroup(folder, above), { code: 'EBUSY' });
  await deleteSubvolume(folder, 'one');
  const deadline = performance.now() + 30_000;
  for (;;) {
    await reclaimSubvolumes(folder);
    const isGone = await deleteQuotaGroup(folder, above).then(
      () => true,
      () => false,
    );
    if (isGone) break;
    assert.ok(performance.now() < deadline, 'the kernel still counts what was deleted');
  }
  await deleteQuotaGroup(folder, above);
});

function newFolder(): string {
  return mkdtempSync(join(disk.path, 'test-'));
}
