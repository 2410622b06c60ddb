import type { Duplex, Writable } from 'node:stream';
import { createGunzip, createZstdDecompress, constants } from 'node:zlib';
import { invalidArgument, messageOf, releasing } from '@gantry/sdk';
import { byZstdFrames } from '../../support/index.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2';

/** By the first bytes, whatever a media type says. */
export function sniff(head: Uint8Array): Compression {
  const starts = (...bytes: readonly number[]) => bytes.every((byte, at) => head[at] === byte);
  if (starts(0x1f, 0x8b)) return 'gzip';
  if (starts(0x28, 0xb5, 0x2f, 0xfd) || (head.length >= 4 && (head[0] ?? 0) >> 4 === 5 && starts(head[0] ?? 0, 0x2a, 0x4d, 0x18)))
    return 'zstd';
  if (starts(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return 'xz';
  if (starts(0x42, 0x5a, 0x68)) return 'bzip2';
  return 'none';
}

/**
 * The plain bytes of a stream whose compression is told by its beginning. gzip and zstd (window up to 128 MiB) only: xz and bzip2 are
 * the work of `externalDecompressor`. Damaged, cut or followed by garbage: `invalid_argument`. zlib works in other threads and
 * touches no files, so this is safe in a thread with a foreign root. A chunk is used up when the next one is asked for.
 */
export async function* decompressed(source: Iterable<Buffer> | AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const chunks = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const head = await firstBytes(chunks);
  const kind = sniff(head);
  if (kind === 'gzip' || kind === 'zstd') yield* inflated(kind, head, chunks);
  else if (kind === 'none') yield* rest(head, chunks);
  else throw invalidArgument(`${kind} compressed stream where none was expected`);
}

type Chunks = Iterator<Buffer> | AsyncIterator<Buffer>;

async function firstBytes(chunks: Chunks): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 6) {
    const { value, done } = await chunks.next();
    if (done === true) break;
    head = head.length === 0 ? value : Buffer.concat([head, value]);
  }
  return head;
}

async function* rest(head: Buffer, chunks: Chunks): AsyncIterable<Buffer> {
  if (head.length > 0) yield head;
  for (;;) {
    const next = await chunks.next();
    if (next.done === true) return;
    yield next.value;
  }
}

async function* inflated(kind: 'gzip' | 'zstd', head: Buffer, chunks: Chunks): AsyncIterable<Buffer> {
  const inflate =
    kind === 'gzip'
      ? createGunzip({ chunkSize: 256 * 1024 })
      : createZstdDecompress({ chunkSize: 256 * 1024, params: { [constants.ZSTD_d_windowLogMax]: 27 } });
  try {
    const source = rest(head, chunks);
    yield* through(inflate, kind === 'zstd' ? byZstdFrames(source) : source);
  } catch (error) {
    const isDamage = error instanceof Error && 'code' in error && typeof error.code === 'string' && /^(?:Z_|ZSTD_|ERR_)/.test(error.code);
    throw isDamage ? invalidArgument(`${kind} stream: ${error.message}`, { cause: error }) : error;
  }
}

/** What a stream makes of chunks. It is done with each when it asks for the next, and so must be who reads what it makes. Its failures and the source's are thrown as they are. */
export async function* through(stream: Duplex, source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const feed = async (): Promise<void> => {
    try {
      for await (const chunk of source) {
        await written(stream, chunk);
        if (stream.destroyed) return;
      }
      stream.end();
    } catch (error) {
      stream.destroy(error instanceof Error ? error : new Error(messageOf(error)));
    }
  };
  const feeding = feed();
  try {
    yield* releasing(stream as AsyncIterable<Buffer>);
    await feeding;
  } finally {
    stream.destroy();
  }
}

/** Until it needs the chunk no more. */
function written(stream: Writable, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('close', done);
      resolve();
    };
    stream.once('close', done);
    stream.write(chunk, done);
  });
}
