import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as linux from '@gantry/sdk/linux';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const root = fs.mkdtempSync(join(process.env['TMPDIR'] ?? '/tmp', 'linux-files-'));
after(() => fs.rmSync(root, { recursive: true }));

test('openInRoot() keeps symlinks and .. inside, and refuses magic links', () => {
  const inside = join(root, 'jail');
  fs.mkdirSync(join(inside, 'etc'), { recursive: true });
  fs.writeFileSync(join(inside, 'etc/passwd'), 'jailed');
  fs.symlinkSync('/etc/passwd', join(inside, 'absolute'));
  fs.symlinkSync('../../../../etc/passwd', join(inside, 'climbing'));
  fs.symlinkSync('/proc/self/root', join(inside, 'magic'));
  for (const path of ['absolute', 'climbing', '/etc/passwd', '../../etc/passwd', Buffer.from('etc/passwd')]) {
    const file = linux.openInRoot(inside, path);
    assert.equal(fs.readFileSync(file, 'utf8'), 'jailed');
    fs.closeSync(file);
  }
  const host = linux.openInRoot('/', 'proc/self', { flags: linux.openPath });
  assert.throws(() => linux.openInRoot(host, 'root/etc/passwd'), { code: 'ELOOP', syscall: 'openat2' });
  fs.closeSync(host);
  assert.throws(() => linux.openInRoot(inside, 'magic/etc'), { code: 'ENOENT' });
});

test('openat2() makes descriptors that a child does not inherit', () => {
  const file = linux.openat2(undefined, root);
  assert.match(fs.readFileSync(`/proc/self/fdinfo/${file}`, 'utf8'), /flags:\t\d*2\d{6}\n/);
  fs.closeSync(file);
});

test('names that are no UTF-8 go through every call byte by byte', () => {
  const odd = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe, 0x80])]);
  const other = Buffer.concat([odd, Buffer.from([0xc3])]);
  linux.mknod(odd, fs.constants.S_IFREG | 0o640);
  linux.setXattr(odd, 'trusted.x', Buffer.from([0, 255, 0]));
  linux.setTimes(odd, { mtimeNs: 1n });
  linux.rename(odd, other, 'noreplace');
  linux.chmodNoFollow(other, 0o4751);
  assert.deepEqual(linux.getXattr(other, 'trusted.x'), Buffer.from([0, 255, 0]));
  const stat = fs.lstatSync(other, { bigint: true });
  assert.deepEqual([stat.mtimeNs, stat.mode], [1n, BigInt(fs.constants.S_IFREG | 0o4751)]);
  assert.deepEqual(
    fs.readdirSync(root, { encoding: 'buffer' }).filter((name) => name[0] === 0xff),
    [Buffer.from([0xff, 0xfe, 0x80, 0xc3])],
  );
  fs.unlinkSync(other);
});

test('mknod() makes devices with wide numbers, which deviceNumbers() reads back', () => {
  for (const device of [
    { major: 1, minor: 3 },
    { major: 0, minor: 0 },
    { major: 259, minor: 65537 },
    { major: 4095, minor: 1048575 },
  ]) {
    const path = join(root, 'device');
    linux.mknod(path, fs.constants.S_IFCHR | 0o600, device);
    assert.deepEqual(linux.deviceNumbers(fs.lstatSync(path).rdev), device);
    fs.unlinkSync(path);
  }
  linux.mknod(join(root, 'fifo'), fs.constants.S_IFIFO | 0o600);
  assert.equal(fs.lstatSync(join(root, 'fifo')).isFIFO(), true);
  assert.throws(() => linux.mknod(join(root, 'fifo'), fs.constants.S_IFIFO), { code: 'EEXIST', syscall: 'mknod' });
});

test('setTimes() keeps nanoseconds, times before 1970 and what is left out, and does not follow symlinks', () => {
  const link = join(root, 'dangling');
  fs.symlinkSync('nowhere', link);
  linux.setTimes(link, { atimeNs: 5_000_000_007n, mtimeNs: -1n });
  linux.setTimes(link, { atimeNs: -1_500_000_000n });
  const { atimeNs, mtimeNs } = fs.lstatSync(link, { bigint: true });
  assert.deepEqual([atimeNs, mtimeNs], [-1_500_000_000n, -1n]);
  const file = fs.openSync(join(root, 'timed'), 'w');
  linux.setTimes(file, { mtimeNs: 1_700_000_000_123_456_789n });
  assert.equal(fs.fstatSync(file, { bigint: true }).mtimeNs, 1_700_000_000_123_456_789n);
  fs.closeSync(file);
});

test('extended attributes of paths and open files: set, get, list, remove', () => {
  const path = join(root, 'attributes');
  fs.writeFileSync(path, '');
  const file = fs.openSync(path, 'r+');
  linux.setXattr(path, 'trusted.a', Buffer.alloc(0));
  linux.setXattr(file, 'trusted.b', Buffer.alloc(60_000, 7));
  assert.deepEqual(linux.listXattr(path).toSorted(), ['trusted.a', 'trusted.b']);
  assert.deepEqual(linux.getXattr(file, 'trusted.a'), Buffer.alloc(0));
  assert.deepEqual(linux.getXattr(path, 'trusted.b'), Buffer.alloc(60_000, 7));
  linux.removeXattr(file, 'trusted.a');
  linux.removeXattr(path, 'trusted.b');
  assert.deepEqual([linux.listXattr(file), linux.getXattr(path, 'trusted.a')], [[], undefined]);
  assert.throws(() => linux.removeXattr(path, 'trusted.a'), { code: 'ENODATA' });
  assert.throws(() => linux.setXattr(path, 'nonsense', Buffer.of(1)), { code: 'ENOTSUP', path });
  fs.closeSync(file);
});

test('rename() refuses, swaps and leaves a whiteout', () => {
  const [one, two] = [join(root, 'one'), join(root, 'two')];
  fs.writeFileSync(one, '1');
  fs.writeFileSync(two, '2');
  assert.throws(() => linux.rename(one, two, 'noreplace'), { code: 'EEXIST', path: one, dest: two });
  linux.rename(one, two, 'exchange');
  assert.equal(fs.readFileSync(one, 'utf8'), '2');
  linux.rename(one, join(root, 'three'), 'whiteout');
  const whiteout = fs.lstatSync(one);
  assert.deepEqual([whiteout.isCharacterDevice(), whiteout.rdev], [true, 0]);
});

test('chmodNoFollow() changes no symlink and nothing behind one', () => {
  const target = join(root, 'chmod-target');
  fs.writeFileSync(target, '', { mode: 0o600 });
  fs.symlinkSync(target, join(root, 'chmod-link'));
  assert.throws(() => linux.chmodNoFollow(join(root, 'chmod-link'), 0o777), { code: 'ENOTSUP' });
  assert.equal(fs.statSync(target).mode & 0o777, 0o600);
});

test('openUnnamed() and publishFile() make a file appear whole, once', () => {
  const path = join(root, 'published');
  const file = linux.openUnnamed(root, 0o644);
  fs.writeSync(file, 'whole');
  assert.equal(fs.existsSync(path), false);
  linux.publishFile(file, path);
  assert.throws(() => linux.publishFile(file, path), { code: 'EEXIST' });
  fs.closeSync(file);
  assert.equal(fs.readFileSync(path, 'utf8'), 'whole');
});

test('copyFileRange(), fallocate() and seekTo() keep data and holes', () => {
  const file = fs.openSync(join(root, 'sparse'), 'w+');
  fs.writeSync(file, Buffer.alloc(65536, 1), 0, 65536, 131072);
  assert.deepEqual(
    [linux.seekTo('data', file, 0), linux.seekTo('hole', file, 131072), linux.seekTo('data', file, 196608)],
    [131072, 196608, undefined],
  );
  linux.fallocate(file, 'punchHole', { offset: 131072, lengthBytes: 65536 });
  assert.equal(linux.seekTo('data', file, 0), undefined);
  const from = fs.openSync(join(root, 'copy-from'), 'w+');
  fs.writeSync(from, 'hello', 0);
  linux.seekTo('data', from, 0);
  const to = linux.memfdCreate('copy');
  assert.equal(linux.ficlone(from, to), false);
  assert.equal(linux.copyFileRange(from, file, 100), 5);
  assert.equal(linux.copyFileRange(from, file, 100), 0);
  linux.syncfs(file);
  for (const open of [file, from, to]) fs.closeSync(open);
});

test('flock() says no at once while somebody else has the lock', () => {
  const path = join(root, 'lock');
  const [one, two] = [fs.openSync(path, 'w'), fs.openSync(path, 'w')];
  assert.deepEqual([linux.flock(one, 'exclusive'), linux.flock(two, 'exclusive'), linux.flock(two, 'shared')], [true, false, false]);
  assert.deepEqual([linux.flock(one, 'unlock'), linux.flock(two, 'exclusive')], [true, true]);
  fs.closeSync(one);
  fs.closeSync(two);
});

test('fileSystemMagic is what statfs says', () => {
  assert.deepEqual([fs.statfsSync('/proc').type, fs.statfsSync(root).type], [linux.fileSystemMagic.proc, linux.fileSystemMagic.tmpfs]);
});

test('unshare("fs") lets a worker have its own root, folder and umask', async () => {
  const jail = join(root, 'worker-jail');
  fs.mkdirSync(jail);
  const script = `
    import { parentPort, workerData } from 'node:worker_threads';
    import * as fs from 'node:fs';
    const linux = await import(workerData.room);
    linux.unshare('fs');
    linux.umask(0o077);
    linux.chroot(workerData.jail);
    linux.chdir('/');
    fs.writeFileSync('/inside', '');
    linux.setTimes('inside', { mtimeNs: 3n });
    parentPort.postMessage(fs.readdirSync('/'));`;
  const room = import.meta.resolve('@gantry/sdk/linux');
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), { workerData: { jail, room } });
  const seen = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
  assert.deepEqual(seen, ['inside']);
  const stat = fs.statSync(join(jail, 'inside'), { bigint: true });
  assert.deepEqual([stat.mode & 0o777n, stat.mtimeNs, fs.existsSync('/inside')], [0o600n, 3n, false]);
  await worker.terminate();
});
