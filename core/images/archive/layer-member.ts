import { rm } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { type Abortable, dataLoss } from '@gantry/sdk';
import type { Content } from '../../content/index.ts';
import { decompressed, paddingBytes, plainStream, tarHeader } from '../../layers/index.ts';
import { writeIngest } from './ingest-writer.ts';
import type { LayerFile } from './manifest.ts';

interface SaveOptions extends Abortable {
  readonly onSize: (sizeBytes: number) => void;
}

const chunkBytes = 1024 * 1024;

/** A blob as a member of an archive, as it is. */
export async function* storedBlob(content: Content, digest: string, options: Abortable): AsyncIterable<Buffer> {
  yield* member(digest, content.sizeOf(digest), content.read(digest, options));
}

/**
 * A layer as a member of an archive. Stored plain, it goes out as it is; stored compressed, it is unpacked into a file first, because a
 * member's size comes before its bytes, and must then have its diff id.
 */
export async function* withPlainLayer(
  content: Content,
  { diffId, blobDigest }: LayerFile,
  { signal, onSize }: SaveOptions,
): AsyncIterable<Buffer> {
  if (blobDigest === diffId) {
    onSize(content.sizeOf(blobDigest));
    yield* storedBlob(content, blobDigest, { signal });
    return;
  }
  const path = content.newIngestPath();
  try {
    const plain = await writeIngest(path, decompressed(plainStream(content.read(blobDigest, { signal }), { signal })), { signal });
    if (plain.digest !== diffId) throw dataLoss(`blob ${blobDigest} is damaged: it holds layer ${plain.digest}, not ${diffId}`);
    onSize(plain.sizeBytes);
    yield* member(diffId, plain.sizeBytes, createReadStream(path, { highWaterMark: chunkBytes, signal }) as AsyncIterable<Buffer>);
  } finally {
    await rm(path, { force: true });
  }
}

async function* member(digest: string, sizeBytes: number, bytes: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  yield tarHeader({ type: '0', name: Buffer.from(`blobs/${digest.replace(':', '/')}`), mode: 0o644, size: sizeBytes });
  yield* bytes;
  const padding = paddingBytes(sizeBytes);
  if (padding > 0) yield Buffer.alloc(padding);
}
