import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tarHeader, TarReader, type TarEntry, type TarHeader } from '../../../core/layers/tar/index.ts';

const rows: readonly (readonly [what: string, entry: TarEntry, blocks: number])[] = [
  ['a plain file', { type: '0', name: Buffer.from('etc/hosts'), mode: 0o644, size: 0, mtime: 1_700_000_000 }, 1],
  ['a folder with the sticky bit', { type: '5', name: Buffer.from('tmp/'), mode: 0o1777 }, 1],
  ['a name that is no ASCII', { type: '0', name: Buffer.from('caf\u00e9', 'latin1'), mode: 0o644 }, 3],
  ['a name of 100 bytes', { type: '0', name: Buffer.from('n'.repeat(100)), mode: 0o644 }, 1],
  ['a name of 101 bytes', { type: '0', name: Buffer.from('n'.repeat(101)), mode: 0o644 }, 3],
  ['a long symlink', { type: '2', name: Buffer.from('l'), linkName: Buffer.from('t'.repeat(300)), mode: 0o777 }, 3],
  ['owners beyond octal', { type: '0', name: Buffer.from('f'), mode: 0o644, uid: 2 ** 31, gid: 2 ** 21 }, 3],
  ['a time before 1970', { type: '0', name: Buffer.from('f'), mode: 0o644, mtime: -5 }, 3],
  ['a device', { type: '3', name: Buffer.from('null'), mode: 0o666, deviceMajor: 1, deviceMinor: 3 }, 1],
  [
    'binary attributes',
    { type: '0', name: Buffer.from('f'), mode: 0o755, xattrs: new Map([['security.capability', Buffer.from([1, 0, 255])]]) },
    3,
  ],
];

for (const [what, entry, blocks] of rows) {
  test(`tarHeader() writes ${what} so that TarReader reads the same`, () => {
    const bytes = tarHeader(entry);
    assert.equal(bytes.length / 512, blocks);
    const { type, name, mode, linkName = Buffer.alloc(0), size = 0, uid = 0, gid = 0, mtime = 0 } = entry;
    const { deviceMajor = 0, deviceMinor = 0, xattrs = new Map() } = entry;
    const none = { userName: Buffer.alloc(0), groupName: Buffer.alloc(0) };
    const wanted = { type, name, linkName, size, mode, uid, gid, mtime: { seconds: mtime, nanos: 0 }, deviceMajor, deviceMinor, xattrs };
    assert.deepEqual(readOne(bytes), { ...wanted, ...none });
  });
}

function readOne(bytes: Buffer): TarHeader | undefined {
  let seen: TarHeader | undefined;
  const reader = new TarReader({ entry: (told) => (seen = told), data: () => undefined, hole: () => undefined, end: () => undefined });
  reader.write(bytes);
  reader.finish();
  return seen;
}
