import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { getXattr } from '@gantry/sdk/linux';
import { TreeWorkers } from '../../../core/layers/index.ts';
import { withExt4 } from '../../support/disks/ext4.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { base256, endOfArchive, entry, header, pax } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url);

// Attributes and devices as on users' disks.
const disk = withExt4({ sizeMiB: 256 });
const workers = new TreeWorkers();
after(async () => {
  await workers[Symbol.asyncDispose]();
  await disk[Symbol.asyncDispose]();
});

const folder = (name: string, mode = 0o755) => header({ name, type: '5', mode });
const symlink = (name: string, link: string) => header({ name, type: '2', link, mode: 0o777 });
const hardlink = (name: string, link: string) => header({ name, type: '1', link });
const xattr = (key: string, value: string) => pax({ [`SCHILY.xattr.${key}`]: value });
type Mode = 'plain' | 'overlay';

/** What must be refused, with what the message says. Both ways of unpacking refuse it. */
const refused: Readonly<Record<string, readonly [tar: readonly Buffer[], message: RegExp]>> = {
  'a name that climbs': [[entry('../evil')], /path escapes layer: "\.\.\/evil"/],
  'an absolute name that climbs': [[entry('/../evil')], /path escapes layer/],
  'a name that climbs after going down': [[entry('a/../../evil')], /path escapes layer/],
  'a bare ..': [[entry('..')], /path escapes layer/],
  'the root as a file': [[entry('.')], /root of a layer must be a folder/],
  'the root as a symlink': [[symlink('./', '/etc')], /root of a layer must be a folder/],
  'a symlink loop on the way': [[symlink('a', 'b'), symlink('b', 'a'), entry('a/f')], /too many levels of symbolic links/],
  'a hard link out of the layer': [[hardlink('h', '../../etc/passwd')], /path escapes layer/],
  'a hard link to nothing': [[hardlink('h', 'nothing')], /hardlink target "nothing" not found in layer or parents/],
  'a hard link to what comes later': [[hardlink('h', 'later'), entry('later')], /hardlink target "later" not found/],
  'a hard link to itself': [[entry('h'), hardlink('h', 'h')], /hardlink target "h" not found/],
  'a hard link to a folder': [[folder('d/'), hardlink('h', 'd')], /hardlink to the directory "d"/],
  'a device with numbers out of range': [[header({ name: 'd', type: '3', device: [0o777777, 1] })], /device 262143:1 is out of range/],
  'whiteout of .': [[entry('.wh..')], /invalid whiteout/],
  'whiteout of ..': [[entry('.wh...')], /invalid whiteout/],
  'whiteout of nothing': [[entry('.wh.')], /invalid whiteout/],
  'a file as parent': [[entry('f'), entry('f/x')], /"f" is not a directory/],
  'a name of 256 bytes': [[pax({ path: 'n'.repeat(256) }), entry('x')], /ENAMETOOLONG/],
  'a path of 5000 bytes': [[pax({ path: 'n/'.repeat(2500) }), entry('x')], /ENAMETOOLONG/],
  'a symlink to nowhere': [[symlink('s', '')], /a symlink to 0 bytes/],
  'a symlink target of 5000 bytes': [[pax({ linkpath: 'x'.repeat(5000) }), symlink('s', 'x')], /a symlink to 5000 bytes/],
  'a uid of 2^32': [[pax({ uid: String(2 ** 32) }), entry('f')], /owner 4294967296 is out of range/],
  'a uid of 2^32-1': [[pax({ uid: String(2 ** 32 - 1) }), entry('f')], /owner 4294967295 is out of range/],
  'a negative uid': [[header({ name: 'f', raw: { uid: base256(-5n, 8) } })], /owner -5 is out of range/],
  'a time that is none': [[pax({ mtime: 'NaN' }), entry('f')], /PAX mtime/],
  'a broken capability': [[xattr('security.capability', 'junk'), entry('f')], /attribute "security.capability" is not valid/],
  'an attribute name of 300 bytes': [[xattr(`user.${'n'.repeat(300)}`, 'v'), entry('f')], /attribute .* is too large/],
  'an attribute value of 70,000 bytes': [[xattr('user.note', 'v'.repeat(70_000)), entry('f')], /attribute "user.note" is too large/],
  'a hard link to a folder above': [[folder('d/'), hardlink('d/h', '.')], /hardlink/],
  'a hard link through a symlink to what is not there': [
    [symlink('s', '/etc'), hardlink('h', 's/passwd')],
    /hardlink target "s\/passwd" not found/,
  ],
  'a folder with files replaced by a symlink': [[folder('d/'), entry('d/f'), symlink('d', '/etc')], /that is not empty/],
  'a body that is cut': [[header({ name: 'f', size: 1000 }), Buffer.alloc(100)], /unexpected end of the archive/],
  'a header that is cut': [[entry('f'), header({ name: 'g' }).subarray(0, 300)], /unexpected end of the archive/],
};

for (const [what, [tar, message]] of Object.entries(refused)) {
  for (const mode of ['plain', 'overlay'] as const) {
    test(`apply (${mode}) refuses ${what}`, async () => {
      await using tree = await makeTree();
      await assert.rejects(unpack(tree.path, [...tar, ...(tar.some((part) => part.length % 512 !== 0) ? [] : [endOfArchive])], mode), {
        code: 'invalid_argument',
        message,
      });
      assert.deepEqual(tree.outside(), ['secret']);
    });
  }
}

/** UTF-8, as one character for each byte. */
const likeNames = ['A', 'a', '\u00e9', 'e\u0301', 'ss', '\u00df'].map((name) => Buffer.from(name).toString('latin1'));

/** What is accepted, and what the tree then looks like: `ls` of everything, in Docker's HEAD's words or stricter. */
const accepted: Readonly<
  Record<
    string,
    {
      readonly tar: readonly Buffer[];
      readonly tree: Readonly<Record<string, string>>;
      readonly below?: readonly Buffer[];
      readonly only?: Mode;
    }
  >
> = {
  'an absolute name inside the root': { tar: [entry('/etc/x')], tree: { etc: 'd755', 'etc/x': 'f644 x' } },
  'the root folder gets its mode': { tar: [folder('./', 0o700)], tree: { '.': 'd700' } },
  'a file through an absolute symlink': {
    tar: [symlink('s', '/etc'), entry('s/x')],
    tree: { etc: 'd755', 'etc/x': 'f644 x', s: 'l /etc' },
  },
  'a file through a symlink that climbs': {
    tar: [symlink('s', '../../out'), entry('s/x')],
    tree: { out: 'd755', 'out/x': 'f644 x', s: 'l ../../out' },
  },
  'a chain of symlinks': {
    tar: [symlink('a', 'b'), symlink('b', 'c'), entry('a/x')],
    tree: { a: 'l b', b: 'l c', c: 'd755', 'c/x': 'f644 x' },
  },
  'a hard link': { tar: [entry('a', 'same'), hardlink('b', 'a')], tree: { a: 'f644 same', b: 'f644 same' } },
  'a hard link to a symlink': { tar: [symlink('a', 'nowhere'), hardlink('b', 'a')], tree: { a: 'l nowhere', b: 'l nowhere' } },
  'a hard link by an absolute name': { tar: [entry('a', 'same'), hardlink('b', '/a')], tree: { a: 'f644 same', b: 'f644 same' } },
  'a hard link through a symlink': {
    tar: [folder('d/'), entry('d/f', 'same'), symlink('s', '/d'), hardlink('h', 's/f')],
    tree: { d: 'd755', 'd/f': 'f644 same', s: 'l /d', h: 'f644 same' },
  },
  'a time before 1970': { tar: [pax({ mtime: '-86400' }), entry('f')], tree: { f: 'f644 x' } },
  'two blocks of zeros': { tar: [endOfArchive], tree: {} },
  'a hard link with a size, which is no body': {
    tar: [entry('a', 'same'), header({ name: 'b', type: '1', link: 'a', size: 512 }), entry('c')],
    tree: { a: 'f644 same', b: 'f644 same', c: 'f644 x' },
  },
  'names that differ in case or composition only': {
    tar: likeNames.map((name) => entry(name)),
    tree: Object.fromEntries(likeNames.map((name) => [name, 'f644 x'] as const)),
  },
  'devices and fifos': {
    tar: [header({ name: 'c', type: '3', mode: 0o666, device: [1, 3] }), header({ name: 'p', type: '6', mode: 0o600 })],
    tree: { c: 'c666 259', p: 'p600' },
  },
  'set-uid and sticky bits after the owner': {
    tar: [entry('s', 'x', { mode: 0o6755, uid: 5, gid: 6 }), folder('t/', 0o1777)],
    tree: { s: 'f6755 x 5:6', t: 'd1777' },
  },
  'AUFS metadata is skipped': { tar: [folder('.wh..wh.plnk/'), entry('.wh..wh.aufs'), entry('.wh..wh.plnk/x')], tree: {} },
  'a whiteout of what is not there': { tar: [entry('a/.wh.x')], tree: { a: 'd755' }, only: 'plain' },
  'a whiteout of what is not there, as overlayfs says it': { tar: [entry('a/.wh.x')], tree: { a: 'd755', 'a/x': 'c0 0' }, only: 'overlay' },
  'a whiteout after the file of the same layer': { tar: [entry('x', 'stays'), entry('.wh.x')], tree: { x: 'f644 stays' } },
  'a whiteout before the file of the same layer': { tar: [entry('.wh.x'), entry('x', 'stays')], tree: { x: 'f644 stays' } },
  'a whiteout deletes below': {
    below: [folder('d/'), entry('d/old'), entry('gone')],
    tar: [entry('.wh.gone'), entry('d/.wh.old')],
    tree: { d: 'd755' },
    only: 'plain',
  },
  'an opaque folder deletes what is below and keeps its own, wherever it stands': {
    below: [folder('d/'), entry('d/old'), folder('d/sub/'), entry('d/sub/old')],
    tar: [folder('d/'), entry('d/new'), entry('d/.wh..wh..opq'), entry('d/sub/new')],
    tree: { d: 'd755', 'd/new': 'f644 x', 'd/sub': 'd755', 'd/sub/new': 'f644 x' },
    only: 'plain',
  },
  'a whiteout through a symlink': {
    below: [folder('etc/'), entry('etc/passwd')],
    tar: [symlink('s', '/etc'), entry('s/.wh.passwd')],
    tree: { etc: 'd755', s: 'l /etc' },
    only: 'plain',
  },
  'a folder named like a whiteout': { tar: [folder('.wh.x/'), entry('.wh.x/f')], tree: { '.wh.x': 'd755', '.wh.x/f': 'f644 x' } },
  'a file twice: the last counts': { tar: [entry('f', 'first', { mode: 0o755 }), entry('f', 'last')], tree: { f: 'f644 last' } },
  'a folder twice: merged': { tar: [folder('d/'), entry('d/f'), folder('d/', 0o700)], tree: { d: 'd700', 'd/f': 'f644 x' } },
  'a file replaced by a folder': { tar: [entry('d'), folder('d/'), entry('d/f')], tree: { d: 'd755', 'd/f': 'f644 x' } },
  'a folder replaced by a file': { tar: [folder('d/'), entry('d/f'), entry('d', 'file')], tree: { d: 'f644 file' } },
  'an empty folder replaced by a symlink': { tar: [folder('d/'), symlink('d', 'x')], tree: { d: 'l x' } },
  'missing parents': { tar: [entry('a/b/c')], tree: { a: 'd755', 'a/b': 'd755', 'a/b/c': 'f644 x' } },
  'a name of 255 bytes': { tar: [pax({ path: 'n'.repeat(255) }), entry('x')], tree: { ['n'.repeat(255)]: 'f644 x' } },
  'names of control characters and other bytes': {
    tar: [entry('a\nb'), entry('caf\u00e9')],
    tree: { 'a\nb': 'f644 x', 'caf\u00e9': 'f644 x' },
  },
  'a uid of 2^31': { tar: [pax({ uid: String(2 ** 31) }), entry('f')], tree: { f: 'f644 x 2147483648:0' } },
  'unknown types are skipped with their bodies': { tar: [entry('e', 'abc', { type: 'Z' }), entry('f')], tree: { f: 'f644 x' } },
  'a contiguous file is a file': { tar: [entry('f', 'abc', { type: '7' })], tree: { f: 'f644 abc' } },
  'a size on a folder is no body': {
    tar: [header({ name: 'd', type: '5', mode: 0o755, size: 512 }), entry('f')],
    tree: { d: 'd755', f: 'f644 x' },
  },
  'no end mark': { tar: [entry('f')], tree: { f: 'f644 x' } },
  nothing: { tar: [], tree: {} },
  'garbage after the end': { tar: [entry('f'), endOfArchive, Buffer.alloc(777, 'G')], tree: { f: 'f644 x' } },
};

for (const [what, { tar, tree: expected, below, only }] of Object.entries(accepted)) {
  for (const mode of only === undefined ? (['plain', 'overlay'] as const) : [only]) {
    test(`apply (${mode}) takes ${what}`, async () => {
      await using tree = await makeTree();
      if (below !== undefined) await unpack(tree.path, below, mode);
      await unpack(tree.path, tar, mode);
      assert.deepEqual(listing(tree.path, Object.hasOwn(expected, '.')), expected);
      assert.deepEqual(tree.outside(), ['secret']);
    });
  }
}

test('apply drops what would speak to overlayfs and keeps what users set', async () => {
  await using tree = await makeTree();
  await unpack(
    tree.path,
    [xattr('trusted.overlay.opaque', 'y'), folder('d/'), xattr('user.note', 'kept'), entry('f'), xattr('nonamespace', 'x'), entry('g')],
    'overlay',
  );
  assert.equal(getXattr(join(tree.path, 'd'), 'trusted.overlay.opaque'), undefined);
  assert.equal(getXattr(join(tree.path, 'f'), 'user.note')?.toString(), 'kept');
});

test('apply keeps file capabilities byte by byte, also of owned files', async () => {
  await using tree = await makeTree();
  const capability = Buffer.from('01000002002000000000000000000000ff000000', 'hex');
  const tar = [xattr('security.capability', capability.toString('latin1')), entry('ping', 'x', { mode: 0o755, uid: 7 })];
  await unpack(tree.path, tar, 'overlay');
  assert.deepEqual(getXattr(join(tree.path, 'ping'), 'security.capability'), capability);
});

test('apply (overlay) makes a folder over its own whiteout opaque', async () => {
  await using tree = await makeTree();
  await unpack(tree.path, [entry('.wh.d'), entry('d/f')], 'overlay');
  assert.equal(getXattr(join(tree.path, 'd'), 'trusted.overlay.opaque')?.toString(), 'y');
});

test('apply sets times of folders after their children, to the nanosecond, and clamps what no disk can say', async () => {
  await using tree = await makeTree();
  await unpack(
    tree.path,
    [pax({ mtime: '1000.000000001' }), folder('d/'), entry('d/f'), pax({ mtime: String(2 ** 60) }), entry('far')],
    'overlay',
  );
  assert.equal(statSync(join(tree.path, 'd'), { bigint: true }).mtimeNs, 1_000_000_000_001n);
  assert.ok(statSync(join(tree.path, 'far')).mtimeMs > Date.now());
});

test('apply expands sparse files and leaves their holes empty', async () => {
  await using tree = await makeTree();
  const records = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'real', 'GNU.sparse.realsize': '1048576' };
  await unpack(tree.path, [pax(records), entry('GNUSparse.0/real', `1\n1048000\n4\n${'\0'.repeat(500)}data`.padEnd(516, '\0'))], 'overlay');
  const bytes = readFileSync(join(tree.path, 'real'));
  assert.deepEqual([bytes.length, bytes.subarray(1_048_000, 1_048_004).toString()], [1_048_576, 'data']);
  assert.ok(statSync(join(tree.path, 'real')).blocks <= 16);
});

test('apply unpacks two thousand nested folders', async () => {
  await using tree = await makeTree();
  await unpack(tree.path, [pax({ path: `${'d/'.repeat(2000)}f` }), entry('x')], 'overlay');
  await unpack(tree.path, [entry('.wh.d')], 'plain');
  assert.deepEqual(readdirSync(tree.path), []);
});

const layer = Buffer.concat([entry('f', 'content'), endOfArchive]);
const compressed: Readonly<Record<string, readonly [bytes: Buffer, answer: 'ok' | RegExp]>> = {
  gzip: [gzipSync(layer), 'ok'],
  'gzip of two members': [Buffer.concat([gzipSync(layer.subarray(0, 700)), gzipSync(layer.subarray(700))]), 'ok'],
  'gzip with zeros behind': [Buffer.concat([gzipSync(layer), Buffer.alloc(512)]), 'ok'],
  zstd: [zstdCompressSync(layer), 'ok'],
  'zstd of two frames': [Buffer.concat([zstdCompressSync(layer.subarray(0, 700)), zstdCompressSync(layer.subarray(700))]), 'ok'],
  'zstd after a frame that is to be skipped': [
    Buffer.concat([Buffer.from('502a4d1804000000', 'hex'), Buffer.from('skip'), zstdCompressSync(layer)]),
    'ok',
  ],
  'gzip with a wrong length': [flipped(gzipSync(layer), -2), /gzip stream/],
  'gzip with flags that nobody knows': [flipped(gzipSync(layer), 3, 0xe0), /gzip stream/],
  'gzip and a second member that is cut': [Buffer.concat([gzipSync(layer), gzipSync(layer).subarray(0, -6)]), /gzip stream/],
  'zstd with a window of 2 GiB': [Buffer.from('28b52ffd00a8010000', 'hex'), /zstd stream/],
  'zstd with a dictionary': [Buffer.from('28b52ffd0158070100000000', 'hex'), /zstd stream/],
  'cut gzip': [gzipSync(layer).subarray(0, -6), /gzip stream/],
  'gzip with a wrong checksum': [flipped(gzipSync(layer), -6), /gzip stream/],
  'gzip with garbage behind': [Buffer.concat([gzipSync(layer), Buffer.from('garbage!')]), /gzip stream/],
  'only the magic of gzip': [Buffer.from([0x1f, 0x8b]), /gzip stream/],
  'cut zstd': [zstdCompressSync(layer).subarray(0, -4), /zstd stream/],
  'junk after the magic of zstd': [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff, 0xff, 0xff]), /zstd stream/],
};

for (const [what, [bytes, answer]] of Object.entries(compressed)) {
  test(`apply ${answer === 'ok' ? 'takes' : 'refuses'} ${what}`, async () => {
    await using tree = await makeTree();
    const work = unpack(tree.path, [bytes], 'overlay');
    if (answer !== 'ok') return await assert.rejects(work, { code: 'invalid_argument', message: answer });
    await work;
    assert.deepEqual(listing(tree.path, false), { f: 'f644 content' });
  });
}

test('apply works in a tree whose files look like the machine, and runs none of them (CVE-2019-14271)', async () => {
  await using tree = await makeTree();
  for (const name of ['usr/bin', 'lib']) mkdirSync(join(tree.path, name), { recursive: true });
  for (const name of ['usr/bin/xz', 'usr/bin/gzip', 'lib/libnss_files.so.2', 'package.json'])
    writeFileSync(join(tree.path, name), `#!/bin/sh\ntouch ${join(disk.path, 'pwned')}\n`, { mode: 0o755 });
  await unpack(tree.path, [gzipSync(layer)], 'overlay');
  assert.ok(!readdirSync(disk.path).includes('pwned'));
});

/** Counted from the end when it is negative. */
function flipped(bytes: Buffer, at: number, bits = 1): Buffer {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ bits;
  return copy;
}

/** A tree, and beside it something that nothing may touch. */
async function makeTree(): Promise<AsyncDisposable & { readonly path: string; readonly outside: () => readonly string[] }> {
  const around = mkdtempSync(join(disk.path, 'tree-'));
  const path = join(around, 'root');
  mkdirSync(path);
  writeFileSync(join(around, 'secret'), 'untouched');
  return {
    path,
    outside: () => {
      assert.equal(readFileSync(join(around, 'secret'), 'utf8'), 'untouched');
      return readdirSync(around).filter((name) => name !== 'root');
    },
    [Symbol.asyncDispose]: async () => execFileSync('rm', ['-rf', around]) as unknown as void,
  };
}

async function unpack(root: string, tar: readonly Buffer[], whiteouts: Mode): Promise<void> {
  const path = join(mkdtempSync(join(tmpdir(), 'layer-')), 'layer.tar');
  writeFileSync(path, Buffer.concat(tar));
  const fd = openSync(path, 'r');
  try {
    await workers.run('apply', { root, fd, whiteouts, isDiffIdKnown: false });
  } finally {
    closeSync(fd);
    rmSync(path);
  }
}

/** Every entry below the root by path: kind, permissions, then content, target or device, and the owner unless root. */
function listing(root: string, withRoot: boolean): Readonly<Record<string, string>> {
  const found: Record<string, string> = withRoot ? { '.': describe(root) } : {};
  const visit = (path: string): void => {
    for (const name of readdirSync(Buffer.from(`${root}/${path}`, 'latin1'), { encoding: 'latin1' }).toSorted()) {
      const inside = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path + name, 'latin1')]);
      found[path + name] = describe(inside);
      if (lstatSync(inside).isDirectory()) visit(`${path}${name}/`);
    }
  };
  visit('');
  return found;
}

function describe(path: string | Buffer): string {
  const stat = lstatSync(path);
  const mode = (stat.mode & 0o7777).toString(8);
  const owner = stat.uid === 0 && stat.gid === 0 ? '' : ` ${stat.uid}:${stat.gid}`;
  if (stat.isDirectory()) return `d${mode}${owner}`;
  if (stat.isSymbolicLink()) return `l ${readlinkSync(path)}${owner}`;
  if (stat.isFIFO()) return `p${mode}${owner}`;
  if (stat.isCharacterDevice()) return `c${mode} ${stat.rdev}${owner}`;
  return `f${mode} ${readFileSync(path, 'latin1')}${owner}`;
}
