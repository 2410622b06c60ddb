import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as linux from '@gantry/sdk/linux';
import { type Disk, missingForDisk, withDisk } from '../../support/disks/disk.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
const { signal } = new AbortController();
const disks = new Map<string, Disk>();
for (const [type, features] of [
  ['ext4', []],
  ['btrfs', []],
  ['xfs', ['-m', 'reflink=1']],
] as const)
  if (missingForDisk(type) === undefined) disks.set(type, withDisk(type, { sizeMiB: 400, features }));
after(async () => {
  for (const disk of disks.values()) await disk[Symbol.asyncDispose]();
});
leakGuard();

/** A new folder on such a disk, or in memory. */
function place(type: string): { readonly path: string } & Disposable {
  const path = fs.mkdtempSync(join(disks.get(type)?.path ?? process.env['TMPDIR'] ?? '/tmp', 'copy-'));
  return { path, [Symbol.dispose]: () => void execFileSync('rm', ['-rf', path]) };
}

async function copied(folder: string, options: { readonly signal: AbortSignal } = { signal }): Promise<string> {
  await using copier = new linux.TreeCopier();
  const to = join(folder, 'to');
  fs.mkdirSync(to);
  await copier.copy(join(folder, 'from'), to, options);
  return to;
}

/** All that Linux keeps of each file; what are names of one file has one number. */
function described(root: string): readonly string[] {
  const numbers = new Map<bigint, number>();
  const look = (path: Buffer): readonly string[] => {
    const stat = fs.lstatSync(path, { bigint: true });
    const number = numbers.get(stat.ino) ?? numbers.size;
    numbers.set(stat.ino, number);
    const xattrs = namesOf(path)
      .toSorted()
      .map((name) => `${name}=${linux.getXattr(path, name)?.toString('hex')}`);
    const content = stat.isFile() ? createHash('sha256').update(fs.readFileSync(path)).digest('hex') : '';
    const target = stat.isSymbolicLink() ? fs.readlinkSync(path, { encoding: 'buffer' }).toString('hex') : '';
    const line = [
      path.subarray(Buffer.byteLength(root)).toString('latin1'),
      `mode ${stat.mode.toString(8)} owner ${stat.uid}:${stat.gid} time ${stat.mtimeNs} device ${stat.rdev}`,
      stat.isDirectory() ? '' : `links ${stat.nlink} number ${number} size ${stat.size}`,
      `${content}${target} ${xattrs.join(' ')}`,
    ].join(' | ');
    if (!stat.isDirectory()) return [line];
    const below = fs.readdirSync(path, { encoding: 'buffer' }).toSorted((left, right) => Buffer.compare(left, right));
    return [line, ...below.flatMap((name) => look(Buffer.concat([path, Buffer.from('/'), name])))];
  };
  return look(Buffer.from(root));
}

function namesOf(path: Buffer): readonly string[] {
  try {
    return linux.listXattr(path);
  } catch (error) {
    if (linux.isErrno(error, 'ENOTSUP')) return [];
    throw error;
  }
}

function hasAcls(folder: string): boolean {
  try {
    linux.getXattr(folder, 'system.posix_acl_access');
    return true;
  } catch {
    return false;
  }
}

/** Everything that is easily lost. */
function makeOdd(root: string, largeBytes = 5_000_001): void {
  const at = (name: string): string => join(root, name);
  fs.mkdirSync(at('a/b/c/d/e'), { recursive: true });
  fs.writeFileSync(at('empty'), '');
  fs.writeFileSync(at('a/large'), Buffer.alloc(largeBytes, 'large '));
  fs.writeFileSync(at('a/b/setuid'), 'setuid');
  fs.chownSync(at('a/b/setuid'), 1234, 70_000);
  fs.chmodSync(at('a/b/setuid'), 0o6755);
  fs.writeFileSync(at('a/b/none'), 'none', { mode: 0 });
  fs.chmodSync(at('a/b/none'), 0);
  fs.writeFileSync(at('capable'), 'capable');
  linux.setXattr(at('capable'), 'security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex'));
  linux.setXattr(at('capable'), 'trusted.binary', Buffer.from([0, 0x80, 0xff]));
  // rwx for the owner, r-x for user 1234, the group and others.
  const acl = Buffer.from('0200000001000700ffffffff02000500d204000004000500ffffffff10000700ffffffff20000500ffffffff', 'hex');
  if (hasAcls(root)) for (const kind of ['access', 'default']) linux.setXattr(at('a/b/c'), `system.posix_acl_${kind}`, acl);
  fs.writeFileSync(Buffer.concat([Buffer.from(at('a/')), Buffer.from([0xff, 0x2e, 0x80])]), 'no UTF-8');
  fs.writeFileSync(at('n'.repeat(255)), 'long name');
  fs.symlinkSync('/nowhere/at/all', at('dangling'));
  fs.symlinkSync('x'.repeat(1000), at('a/long-link'));
  fs.lchownSync(at('dangling'), 5, 6);
  linux.setXattr(at('dangling'), 'trusted.of-a-link', Buffer.from('yes'));
  fs.linkSync(at('dangling'), at('a/b/c/dangling-again'));
  fs.writeFileSync(at('linked'), 'linked', { mode: 0o640 });
  for (const name of ['a/linked', 'a/b/linked', 'a/b/c/d/e/linked', 'zz-linked']) fs.linkSync(at('linked'), at(name));
  linux.mknod(at('fifo'), 0o010644);
  fs.linkSync(at('fifo'), at('a/fifo'));
  linux.mknod(at('socket'), 0o140600);
  linux.mknod(at('null'), 0o020666, { major: 1, minor: 3 });
  linux.mknod(at('a/block'), 0o060660, { major: 259, minor: 70_000 });
  linux.mknod(at('a/whiteout'), 0o020000, { major: 0, minor: 0 });
  const sparse = fs.openSync(at('a/sparse'), 'w');
  fs.writeSync(sparse, 'begin', 0);
  fs.writeSync(sparse, 'middle', 20_000_000);
  fs.ftruncateSync(sparse, 50_000_000);
  fs.closeSync(sparse);
  fs.truncateSync(at('empty'), 100_000);
  for (const [name, timeNs] of [
    ['capable', 1n],
    ['a/large', -1_500_000_001n],
    ['dangling', 123_456_789_987_654_321n],
    ['null', 7n],
  ] as const)
    linux.setTimes(at(name), { atimeNs: timeNs, mtimeNs: timeNs });
  for (const name of ['a/b/c/d/e', 'a/b/c/d', 'a/b/c', 'a/b', 'a', '.']) {
    fs.chmodSync(at(name), name === 'a' ? 0o3711 : 0o1755);
    if (name === 'a/b') fs.chownSync(at(name), 99, 98);
    linux.setTimes(at(name), { atimeNs: 5n, mtimeNs: 1_000_000_000_000_000_005n });
  }
}

for (const type of ['ext4', 'btrfs', 'xfs', 'memory']) {
  const skip = type !== 'memory' && !disks.has(type) ? (missingForDisk(type as 'ext4') ?? false) : false;
  test(`TreeCopier.copy() keeps owners, modes, times, attributes, names, links, holes and devices on ${type}`, { skip }, async () => {
    // By this thread, and by others.
    for (const largeBytes of [1_000_001, 5_000_001]) {
      using folder = place(type);
      fs.mkdirSync(join(folder.path, 'from'));
      makeOdd(join(folder.path, 'from'), largeBytes);
      const to = await copied(folder.path);
      assert.deepEqual(described(to), described(join(folder.path, 'from')));
      for (const name of ['a/sparse', 'empty']) {
        const { blocks, size } = fs.statSync(join(to, name));
        assert.ok(blocks * 512 < size / 100, `${name} has ${blocks} blocks`);
      }
      assert.deepEqual(fs.readdirSync(folder.path).toSorted(), ['from', 'to'], 'nothing is left beside it');
    }
  });

  test(`TreeCopier.copy() shares many files and folders between its threads on ${type}`, { skip }, async () => {
    using folder = place(type);
    const from = join(folder.path, 'from');
    for (let at = 0; at < 90; at += 1) {
      const below = join(from, `folder${at % 7}`, `folder${at % 31}`, `folder${at}`);
      fs.mkdirSync(below, { recursive: true });
      for (let file = 0; file < at % 30; file += 1) fs.writeFileSync(join(below, `file${file}`), `${at} ${file} `.repeat(file * 20));
    }
    for (let file = 0; file < 800; file += 1) fs.writeFileSync(join(from, `file${file}`), `${file}`);
    for (let file = 0; file < 200; file += 1) fs.linkSync(join(from, `file${file}`), join(from, `folder${file % 7}`, `linked${file}`));
    const wanted = described(from);
    await using copier = new linux.TreeCopier();
    for (let round = 0; round < 2; round += 1) {
      const tos = ['one', 'two'].map((name) => join(folder.path, name));
      for (const to of tos) fs.mkdirSync(to);
      await Promise.all(tos.map((to) => copier.copy(from, to, { signal })));
      for (const to of tos) {
        assert.deepEqual(described(to), wanted);
        fs.rmSync(to, { recursive: true });
      }
    }
  });
}

test('TreeCopier.copy() takes nothing over from the folder that it fills', { skip: !disks.has('ext4') }, async () => {
  using folder = place('ext4');
  for (const name of ['from', 'to']) fs.mkdirSync(join(folder.path, name));
  makeOdd(join(folder.path, 'from'));
  execFileSync('chmod', ['g+s', join(folder.path, 'to')]);
  fs.chownSync(join(folder.path, 'to'), 77, 78);
  await using copier = new linux.TreeCopier();
  await copier.copy(join(folder.path, 'from'), join(folder.path, 'to'), { signal });
  assert.deepEqual(described(join(folder.path, 'to')), described(join(folder.path, 'from')));
});

test('TreeCopier.copy() of a file with as many names as it may have', { skip: !disks.has('ext4') }, async () => {
  using folder = place('ext4');
  const from = join(folder.path, 'from');
  fs.mkdirSync(from);
  fs.writeFileSync(join(from, '0'), 'many names');
  for (let name = 1; name < 65_000; name += 1) fs.linkSync(join(from, '0'), join(from, `${name}`));
  const to = await copied(folder.path);
  assert.equal(fs.statSync(join(to, '64999')).nlink, 65_000);
});

test('TreeCopier.copy() of a folder deeper than any path', async () => {
  using folder = place('memory');
  const script =
    'import os,sys\nos.chdir(sys.argv[1])\nos.mkdir("from")\nos.chdir("from")\nfor n in range(600):\n  os.mkdir("d"*20)\n  os.chdir("d"*20)\nopen("deep","w").write("deep")';
  execFileSync('python3', ['-c', script, folder.path]);
  await copied(folder.path);
  const count = (name: string): string =>
    execFileSync('find', [join(folder.path, name), '-name', 'd*'], { maxBuffer: 1 << 27 })
      .toString()
      .split('\n')
      .length.toString();
  assert.equal(count('to'), count('from'));
});

test('TreeCopier.copy() onto a disk that is full says so, and an aborted one stops with the reason', async () => {
  using folder = place('memory');
  const small = join(folder.path, 'small');
  fs.mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'small', small]);
  try {
    fs.mkdirSync(join(folder.path, 'from'));
    for (let file = 0; file < 2000; file += 1) fs.writeFileSync(join(folder.path, 'from', `file${file}`), Buffer.alloc(5000));
    await using copier = new linux.TreeCopier();
    fs.mkdirSync(join(small, 'to'));
    await assert.rejects(copier.copy(join(folder.path, 'from'), join(small, 'to'), { signal }), {
      code: 'ENOSPC',
      message: /no space left/,
    });
    fs.mkdirSync(join(folder.path, 'to'));
    const stop = new AbortController();
    const copying = copier.copy(join(folder.path, 'from'), join(folder.path, 'to'), { signal: stop.signal });
    setImmediate(() => stop.abort(new Error('enough')));
    await assert.rejects(copying, { message: 'enough' });
    const { length } = fs.readdirSync(join(folder.path, 'to'));
    assert.ok(length < 2000);
    // Nobody goes on.
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(fs.readdirSync(join(folder.path, 'to')).length, length);
  } finally {
    execFileSync('umount', [small]);
  }
});

for (const [name, prepare, expected] of [
  ['that is not there', () => undefined, { code: 'ENOENT' }],
  ['that is a file', (from) => fs.writeFileSync(from, ''), { code: 'ENOTDIR' }],
  ['that is a symlink', (from) => fs.symlinkSync('/', from), { code: 'ENOTDIR' }],
] as const satisfies readonly (readonly [string, (from: string) => void, object])[]) {
  test(`TreeCopier.copy() refuses a folder ${name}`, async () => {
    using folder = place('memory');
    prepare(join(folder.path, 'from'));
    await assert.rejects(copied(folder.path), expected);
  });
}

test('TreeCopier.copy() refuses to write over what is there', async () => {
  using folder = place('memory');
  for (const name of ['from', 'to']) {
    fs.mkdirSync(join(folder.path, name));
    fs.writeFileSync(join(folder.path, name, 'file'), name);
  }
  await using copier = new linux.TreeCopier();
  await assert.rejects(copier.copy(join(folder.path, 'from'), join(folder.path, 'to'), { signal }), { code: 'EEXIST', message: /file/ });
  assert.equal(fs.readFileSync(join(folder.path, 'to/file'), 'utf8'), 'to');
});
