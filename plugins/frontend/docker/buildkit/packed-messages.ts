const chunkBytes = 256 * 1024;

/** Messages one behind the other in a few large pieces of memory: as objects hundreds of thousands would take many times as much. */
export class PackedMessages {
  #chunks: Buffer[] = [];
  #used = chunkBytes;
  #count = 0;
  #sizeBytes = 0;

  get count(): number {
    return this.#count;
  }

  /** Of the memory that they lie in. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  push(message: Uint8Array): void {
    const needed = message.length + 4;
    const last = this.#chunks.at(-1);
    const chunk = last !== undefined && this.#used + needed <= last.length ? last : this.#begin(needed);
    chunk.writeUInt32LE(message.length, this.#used);
    chunk.set(message, this.#used + 4);
    this.#used += needed;
    this.#count += 1;
  }

  /** In their order, once: the memory of what was taken is given back. */
  *taken(): Generator<Buffer, void> {
    for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) {
      for (let at = 0; at + 4 <= chunk.length; ) {
        const length = chunk.readUInt32LE(at);
        if (length === 0) break;
        yield chunk.subarray(at + 4, at + 4 + length);
        at += 4 + length;
      }
    }
  }

  /** Zeros behind the last message of a piece end it: no message is empty. */
  #begin(needed: number): Buffer {
    const chunk = Buffer.alloc(Math.max(chunkBytes, needed));
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length;
    this.#used = 0;
    return chunk;
  }
}
