import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createGzip } from 'node:zlib';
import { dataLoss } from '@gantry/sdk';
import { digestOf, type Ingested } from '../../content/index.ts';
import { decompressed, plainStream, sniff, through } from '../../layers/index.ts';
import { writeIngest } from '../archive/ingest-writer.ts';
import type { LayerFile } from '../archive/manifest.ts';
import type { Parts } from '../types.ts';
import { Elsewhere } from './elsewhere.ts';
import { type RegistryCall, shortDigest } from './registry-call.ts';

/** A layer as the registry has it. */
export interface LayerToPush {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly compression: 'none' | 'gzip' | 'zstd';
}

const chunkBytes = 1024 * 1024;
const everyMs = 100;

/** Layers on their way to one repository, in the words that the docker CLI turns into bars. */
export class LayerUpload {
  readonly #parts: Parts;
  readonly #call: RegistryCall;
  readonly #elsewhere: Elsewhere;
  /** An image may have the same layer twice. */
  readonly #sent = new Map<string, Promise<LayerToPush>>();

  constructor(parts: Parts, call: RegistryCall) {
    this.#parts = parts;
    this.#call = call;
    this.#elsewhere = new Elsewhere(parts.store, call.place);
  }

  /** What came compressed, or is wanted `asStored`, goes as it is; the rest is compressed, unless the registry has what it became the last time. */
  send(layer: LayerFile, { asStored = false }: { readonly asStored?: boolean } = {}): Promise<LayerToPush> {
    const known = this.#sent.get(layer.diffId);
    const sending = known ?? this.#send(layer, asStored);
    this.#sent.set(layer.diffId, sending);
    return sending;
  }

  async sendBytes(bytes: Buffer): Promise<void> {
    const { driver, place, context, signal } = this.#call;
    const digest = digestOf(bytes);
    if (await driver.exists({ ...place, digest }, context(signal))) return;
    await driver.upload({ ...place, digest, size: bytes.length, content: () => once(bytes) }, context(signal));
  }

  async #send(layer: LayerFile, asStored: boolean): Promise<LayerToPush> {
    const { content, store } = this.#parts;
    const form = sniff(content.head(layer.blobDigest));
    if (asStored || form === 'gzip' || form === 'zstd') {
      const compression = form === 'gzip' || form === 'zstd' ? form : 'none';
      const stored = { digest: layer.blobDigest, sizeBytes: content.sizeOf(layer.blobDigest), compression } as const;
      if (!(await this.#isThere(layer, stored.digest)))
        await this.#upload(layer, stored, () => content.read(stored.digest, { signal: this.#call.signal }));
      return stored;
    }
    const before = store.compressed(layer.diffId);
    if (before !== undefined && (await this.#isThere(layer, before.digest))) return { ...before, compression: 'gzip' };
    return this.#compressAndSend(layer);
  }

  async #compressAndSend(layer: LayerFile): Promise<LayerToPush> {
    const { content, store } = this.#parts;
    const { signal } = this.#call;
    const path = content.newIngestPath();
    try {
      this.#tell(layer, 'Compressing');
      const { digest, sizeBytes }: Ingested = await writeIngest(path, through(createGzip({ chunkSize: chunkBytes }), this.#plain(layer)), {
        signal,
      });
      const compressed = { digest, sizeBytes, compression: 'gzip' } as const;
      if (!(await this.#isThere(layer, digest))) {
        await this.#upload(layer, compressed, () => createReadStream(path, { highWaterMark: chunkBytes }) as AsyncIterable<Buffer>);
      }
      store.setCompressed(layer.diffId, compressed);
      return compressed;
    } finally {
      await rm(path, { force: true });
    }
  }

  /** The layer's tar; what the disk no longer has as it was is not sent. */
  async *#plain({ blobDigest, diffId }: LayerFile): AsyncIterable<Buffer> {
    const { signal } = this.#call;
    const hash = createHash('sha256');
    for await (const chunk of decompressed(plainStream(this.#parts.content.read(blobDigest, { signal }), { signal }))) {
      hash.update(chunk);
      yield chunk;
    }
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== diffId) throw dataLoss(`blob ${blobDigest} is damaged: it holds layer ${found}, not ${diffId}`);
  }

  async #isThere(layer: LayerFile, digest: string): Promise<boolean> {
    const { driver, place, context, signal } = this.#call;
    const isThere = await driver.exists({ ...place, digest }, context(signal));
    if (isThere) this.#tell(layer, 'Layer already exists');
    return isThere;
  }

  async #upload(layer: LayerFile, { digest, sizeBytes }: LayerToPush, bytes: () => AsyncIterable<Buffer>): Promise<void> {
    const { driver, place, context, signal } = this.#call;
    const content = () => counted(bytes(), (current) => this.#tell(layer, 'Pushing', { current, total: sizeBytes }));
    const mountFrom = this.#elsewhere.of(digest);
    const { mountedFrom } = await driver.upload({ ...place, digest, size: sizeBytes, content, mountFrom }, context(signal));
    this.#tell(layer, mountedFrom === undefined ? 'Pushed' : `Mounted from ${mountedFrom}`);
  }

  #tell({ diffId }: LayerFile, status: string, progressDetail: { readonly current?: number; readonly total?: number } = {}): void {
    this.#call.onProgress({ status, progressDetail, id: shortDigest(diffId) });
  }
}

async function* counted(bytes: AsyncIterable<Buffer>, tell: (soFar: number) => void): AsyncIterable<Buffer> {
  let soFar = 0;
  let nextMs = 0;
  for await (const chunk of bytes) {
    yield chunk;
    soFar += chunk.length;
    const nowMs = performance.now();
    if (nowMs < nextMs) continue;
    nextMs = nowMs + everyMs;
    tell(soFar);
  }
}

async function* once(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes;
}
