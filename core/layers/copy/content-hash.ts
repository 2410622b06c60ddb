import { createHash, type Hash, hash } from 'node:crypto';

/**
 * sha256 of a content that comes in pieces. Most files of a context are one small piece, which is hashed at once: an object outside of
 * JavaScript's memory for each of a hundred thousand files would stay until somebody collects them.
 */
export class ContentHash {
  #hash: Hash | undefined;
  #small: Buffer = Buffer.alloc(0);

  update(piece: Buffer): void {
    const isFirst = this.#hash === undefined && this.#small.length === 0;
    // Whoever reads may use the memory of a piece again for the next.
    if (isFirst && piece.length <= smallBytes) this.#small = Buffer.from(piece);
    else (this.#hash ??= createHash('sha256').update(this.#small)).update(piece);
  }

  /** Hexadecimal. */
  digest(): string {
    return this.#hash?.digest('hex') ?? hash('sha256', this.#small, 'hex');
  }
}

const smallBytes = 16 * 1024;
