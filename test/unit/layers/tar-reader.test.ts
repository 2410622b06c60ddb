import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TarReader, type TarHeader } from '../../../core/layers/tar/index.ts';
import { readTarCases, type ExpectedEntry } from '../../support/images/tar-cases/index.ts';
import { endOfArchive, entry, header, pax } from '../../support/images/tar-builder.ts';

interface Answer {
  readonly result: 'ok' | 'error';
  readonly entries: readonly ExpectedEntry[];
}

function read(bytes: Buffer, stepBytes: number): Answer {
  const entries: { -readonly [Key in keyof ExpectedEntry]: ExpectedEntry[Key] }[] = [];
  const grow = (length: number) => {
    const last = entries.at(-1);
    if (last !== undefined) last.bodyBytes += length;
  };
  const reader = new TarReader({
    entry: ({ type, name, linkName, size, uid, mode }) => {
      entries.push({
        type,
        name: name.toString('latin1'),
        linkname: linkName.toString('latin1'),
        headerSize: size,
        bodyBytes: 0,
        uid,
        mode,
      });
    },
    data: (chunk) => grow(chunk.length),
    hole: grow,
    end: () => undefined,
  });
  try {
    for (let at = 0; at < bytes.length; at += stepBytes) reader.write(bytes.subarray(at, at + stepBytes));
    reader.finish();
    return { result: 'ok', entries };
  } catch {
    return { result: 'error', entries };
  }
}

for (const { name, bytes, expected } of readTarCases()) {
  test(`TarReader answers ${name} as Go's archive/tar does, however the bytes are cut`, () => {
    const { result, entries } = expected;
    const data = bytes();
    for (const stepBytes of data.length < 100_000 ? [1, 511, 1 << 20] : [511, 1 << 20]) {
      assert.deepEqual(read(data, stepBytes), { result, entries });
    }
  });
}

test('TarReader refuses a claimed 1 GiB header before it reads it', () => {
  const reader = new TarReader({ entry: () => undefined, data: () => undefined, hole: () => undefined, end: () => undefined });
  assert.throws(() => reader.write(header({ type: 'x', size: 2 ** 30 })), /extended header of 1073741824 bytes/);
});

test('TarReader refuses a sparse file with more stretches than it will hold', () => {
  const map = Array.from({ length: 100_001 }, (_, index) => `${index * 2},1`).join(',');
  const records = { 'GNU.sparse.major': '0', 'GNU.sparse.minor': '1', 'GNU.sparse.numblocks': '100001', 'GNU.sparse.map': map };
  const reader = new TarReader({ entry: () => undefined, data: () => undefined, hole: () => undefined, end: () => undefined });
  assert.throws(() => {
    reader.write(Buffer.concat([pax({ ...records, 'GNU.sparse.size': '300000' }), entry('f', 'x'), endOfArchive]));
  }, /more than 100000 stretches|extended header/);
});

test('TarReader keeps bytes of names and attribute values that are no UTF-8', () => {
  const capability = Buffer.from('01000002c020008000000000ff00000000000000', 'hex');
  const seen: TarHeader[] = [];
  const reader = new TarReader({ entry: (told) => seen.push(told), data: () => undefined, hole: () => undefined, end: () => undefined });
  reader.write(
    Buffer.concat([pax({ 'SCHILY.xattr.security.capability': capability.toString('latin1') }), entry('caf\u00e9', 'x'), endOfArchive]),
  );
  reader.finish();
  assert.deepEqual(
    seen.map(({ name, xattrs }) => ({ name: name.toString('hex'), xattrs: [...xattrs] })),
    [{ name: '636166e9', xattrs: [['security.capability', capability]] }],
  );
});
