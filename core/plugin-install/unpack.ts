import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type Abortable, exhausted, GantryError, invalidArgument, messageOf } from '@gantry/sdk';
import { byZstdFrames } from '../support/index.ts';
import { maxTreeBytes } from './tree.ts';
import type { Trees } from './types.ts';

export interface UnpackOptions extends Abortable {
  readonly trees: Trees;
  /** `plain`: `.wh.` entries delete what lower layers brought. */
  readonly whiteouts: 'plain' | 'none';
}

/** Unpacks a tar, plain, gzip or zstd, below a folder, everything as root's; answers the digest of the plain tar, all bytes of it. */
export async function unpackTar(source: AsyncIterable<Buffer>, root: string, { trees, whiteouts, signal }: UnpackOptions): Promise<string> {
  const hash = createHash('sha256');
  const counted = async function* (): AsyncIterable<Buffer> {
    let bytes = 0;
    for await (const chunk of plain(source)) {
      bytes += chunk.length;
      if (bytes > maxTreeBytes) throw exhausted(`an archive of more than ${maxTreeBytes} bytes when unpacked`);
      hash.update(chunk);
      yield chunk;
    }
  };
  const rules = { whiteouts, owner: { uid: 0, gid: 0 } };
  await trees.run('unpack', { root, path: '/', rules }, { input: counted(), signal });
  return `sha256:${hash.digest('hex')}`;
}

async function* plain(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const chunks = source[Symbol.asyncIterator]();
  const first = await head(chunks);
  const all = rest(first, chunks);
  const kind = first.readUInt32BE(0);
  if (kind >>> 16 === 0x1f8b) yield* through(all, createGunzip(), 'gzip');
  else if (kind === 0x28b52ffd) yield* through(byZstdFrames(all), createZstdDecompress(), 'zstd');
  else yield* all;
}

/** At least four bytes, unless there are fewer: those are no archive, but who reads them says so. */
async function head(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  let first = Buffer.alloc(0);
  while (first.length < 4) {
    const next = await chunks.next();
    if (next.done === true) throw invalidArgument('an archive of less than four bytes');
    first = Buffer.concat([first, next.value]);
  }
  return first;
}

async function* rest(first: Buffer, chunks: AsyncIterator<Buffer>): AsyncIterable<Buffer> {
  try {
    yield first;
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
}

async function* through(
  source: AsyncIterable<Buffer>,
  decompressor: ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>,
  kind: string,
): AsyncIterable<Buffer> {
  const broken = pipeline(source, decompressor, () => undefined);
  try {
    for await (const chunk of broken) yield chunk as Buffer;
  } catch (error) {
    if (GantryError.is(error) || (error instanceof Error && error.name === 'AbortError')) throw error;
    throw invalidArgument(`damaged ${kind} stream: ${messageOf(error)}`, { cause: error });
  } finally {
    decompressor.destroy();
  }
}
