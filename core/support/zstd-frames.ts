/** A zstd stream in pieces of which none reaches beyond the end of a frame. A chunk is used up when the next one is asked for. */
export async function* byZstdFrames(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const frames = new ZstdFrames();
  for await (const chunk of source) yield* frames.cut(chunk);
  yield* frames.rest();
}

/**
 * Cuts a zstd stream after each frame (RFC 8878, 3.1), and leaves out frames that are to be skipped. Node's decompressor takes whatever follows the
 * end of a frame in the same write for the end of all, and says nothing; parallel compressors and zstd:chunked write many frames.
 */
class ZstdFrames {
  #phase: Phase = 'magic';
  /** Bytes of the phase that are still to come. */
  #left = 4;
  /** The bytes of a phase that says something, at most the fourteen of a frame's header. */
  readonly #value = Buffer.alloc(16);
  #filled = 0;
  /** Of a frame that began in an earlier chunk, while it is not known what it is. */
  #held: readonly Buffer[] = [];
  #isLastBlock = false;
  #hasChecksum = false;

  /** The pieces of a chunk, in order; each frame ends with a piece. What is no frame passes as it is, for the decompressor to refuse. */
  *cut(chunk: Buffer): Iterable<Buffer> {
    let start = 0;
    for (let at = 0; at < chunk.length; ) {
      const phase = this.#phase;
      const taken = Math.min(this.#left, chunk.length - at);
      if (phase !== 'block' && phase !== 'skipped' && phase !== 'unknown') {
        chunk.copy(this.#value, this.#filled, at, at + taken);
        this.#filled += taken;
      }
      at += taken;
      this.#left -= taken;
      if (this.#left > 0) break;
      this.#advance();
      if (phase === 'magic' && this.#phase !== 'skipped size') {
        yield* this.#held;
        this.#held = [];
      } else if (phase === 'skipped size' || phase === 'skipped' || this.#phase === 'skipped size') {
        this.#held = [];
        start = at;
      } else if (this.#phase === 'magic') {
        yield chunk.subarray(start, at);
        start = at;
      }
    }
    if (start === chunk.length || this.#phase === 'skipped size' || this.#phase === 'skipped') return;
    if (this.#phase === 'magic') this.#held = [...this.#held, Buffer.from(chunk.subarray(start))];
    else yield chunk.subarray(start);
  }

  /** What the end of the stream leaves: the beginning of a frame. */
  rest(): readonly Buffer[] {
    return this.#held;
  }

  /** The phase is over: on to the next that has bytes. */
  #advance(): void {
    const value = this.#value.subarray(0, this.#filled);
    this.#filled = 0;
    switch (this.#phase) {
      case 'magic':
        return this.#begin(value.readUInt32LE(0));
      case 'skipped size':
        return this.#enter(value.readUInt32LE(0) === 0 ? ['magic', 4] : ['skipped', value.readUInt32LE(0)]);
      case 'descriptor':
        return this.#readDescriptor(value[0] ?? 0);
      case 'header':
        return this.#enter(['block header', 3]);
      case 'block header':
        return this.#readBlockHeader(value.readUIntLE(0, 3));
      case 'block':
        return this.#endBlock();
      case 'skipped':
      case 'checksum':
      case 'unknown':
        return this.#enter(['magic', 4]);
    }
  }

  #enter([phase, bytes]: readonly [phase: Phase, bytes: number]): void {
    this.#phase = phase;
    this.#left = bytes;
  }

  #begin(magic: number): void {
    if (magic === 0xfd2fb528) this.#enter(['descriptor', 1]);
    else if (magic >>> 4 === 0x184d2a5) this.#enter(['skipped size', 4]);
    else this.#enter(['unknown', Number.POSITIVE_INFINITY]);
  }

  #readDescriptor(descriptor: number): void {
    const isSingle = (descriptor & 0x20) !== 0;
    this.#hasChecksum = (descriptor & 0x04) !== 0;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
    const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
    // Never nothing: either the window has a byte or the size has.
    this.#enter(['header', (isSingle ? 0 : 1) + dictionaryBytes + sizeBytes]);
  }

  #readBlockHeader(header: number): void {
    this.#isLastBlock = (header & 1) === 1;
    const kind = (header >> 1) & 3;
    const bytes = kind === 1 ? 1 : header >> 3;
    if (kind === 3) this.#enter(['unknown', Number.POSITIVE_INFINITY]);
    else if (bytes > 0) this.#enter(['block', bytes]);
    else this.#endBlock();
  }

  #endBlock(): void {
    if (!this.#isLastBlock) this.#enter(['block header', 3]);
    else this.#enter(this.#hasChecksum ? ['checksum', 4] : ['magic', 4]);
  }
}

type Phase = 'magic' | 'skipped size' | 'skipped' | 'descriptor' | 'header' | 'block header' | 'block' | 'checksum' | 'unknown';
