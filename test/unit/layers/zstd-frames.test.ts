import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import { decompressed } from '../../../core/layers/index.ts';

const [first, second] = [Buffer.alloc(300_000, 'a'), Buffer.alloc(700_000, 'b')];
const checksummed = zstdCompressSync(first, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
const windowed = Buffer.from('28b52ffd0058', 'hex');
const skipped = (bytes: number): Buffer => {
  const header = Buffer.from('5e2a4d1800000000', 'hex');
  header.writeUInt32LE(bytes, 4);
  return Buffer.concat([header, Buffer.alloc(bytes, 0x28)]);
};
const random = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (Math.imul(at + 1, 2_654_435_761) >>> 13) & 0xff));

const rows: Readonly<Record<string, readonly [stream: readonly Buffer[], plain: readonly Buffer[]]>> = {
  'one frame': [[zstdCompressSync(first)], [first]],
  'two frames': [
    [zstdCompressSync(first), zstdCompressSync(second)],
    [first, second],
  ],
  'frames with checksums': [
    [checksummed, checksummed],
    [first, first],
  ],
  'frames of raw blocks': [
    [zstdCompressSync(random), zstdCompressSync(random)],
    [random, random],
  ],
  'a frame to skip before': [[skipped(5), zstdCompressSync(first)], [first]],
  'a large one, and an empty one': [[skipped(300_000), skipped(0), zstdCompressSync(first)], [first]],
  'frames to skip between and behind': [
    [zstdCompressSync(first), skipped(70_000), skipped(1), zstdCompressSync(second), skipped(9)],
    [first, second],
  ],
  'many small frames': [
    Array.from({ length: 500 }, (_, at) => zstdCompressSync(Buffer.from(`${at},`))),
    Array.from({ length: 500 }, (_, at) => Buffer.from(`${at},`)),
  ],
  'an empty frame between': [
    [zstdCompressSync(first), zstdCompressSync(Buffer.alloc(0)), zstdCompressSync(second)],
    [first, second],
  ],
};
for (const [what, [stream, plain]] of Object.entries(rows)) {
  test(`decompressed() gives all of ${what}, however the bytes are cut`, async () => {
    const bytes = Buffer.concat([...stream]);
    for (const step of bytes.length < 5_000 ? [1, 3, 1 << 20] : [511, 65_536, 1 << 20]) {
      assert.ok((await plainOf(bytes, step)).equals(Buffer.concat([...plain])), `in steps of ${step}`);
    }
  });
}

const bad: Readonly<Record<string, Buffer>> = {
  'garbage after a frame': Buffer.concat([zstdCompressSync(first), Buffer.from('garbage')]),
  'zeros after a frame': Buffer.concat([zstdCompressSync(first), Buffer.alloc(512)]),
  'a second frame that is cut': Buffer.concat([zstdCompressSync(first), zstdCompressSync(second).subarray(0, -4)]),
  'the beginning of a second frame': Buffer.concat([zstdCompressSync(first), Buffer.from('28b5', 'hex')]),
  'a block of a kind that is none': Buffer.concat([windowed, Buffer.from('070000', 'hex'), Buffer.alloc(10)]),
  'a checksum that is wrong': Buffer.concat([
    checksummed.subarray(0, -1),
    Buffer.from([(checksummed.at(-1) ?? 0) ^ 1]),
    zstdCompressSync(second),
  ]),
};
for (const [what, bytes] of Object.entries(bad)) {
  test(`decompressed() refuses ${what}`, async () => {
    for (const step of [1, 511, 1 << 20]) await assert.rejects(plainOf(bytes, step), { code: 'invalid_argument', message: /zstd stream/ });
  });
}

async function plainOf(bytes: Buffer, step: number): Promise<Buffer> {
  const source = (async function* () {
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
  })();
  const parts: Buffer[] = [];
  for await (const part of decompressed(source)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}
