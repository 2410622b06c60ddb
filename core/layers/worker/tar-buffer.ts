import { readSync } from 'node:fs';

export interface TarSink {
  write(bytes: Buffer): void;
}

const bufferBytes = 1024 * 1024;

/** Gathers what is written into large pieces. A sink that gives a piece away leaves the next one in new memory. */
export class TarBuffer {
  readonly #sink: TarSink;
  #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #used = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#used === bufferBytes) this.flush();
      const copied = bytes.copy(this.#buffer, this.#used, at);
      this.#used += copied;
      at += copied;
    }
  }

  /** Exactly so many bytes of the file, from `position` or from where it stands, whatever happens to it meanwhile. */
  content(fd: number, sizeBytes: number, position?: number): void {
    let at = position ?? null;
    for (let left = sizeBytes; left > 0; ) {
      if (this.#used === bufferBytes) this.flush();
      const got = readSync(fd, this.#buffer, this.#used, Math.min(left, bufferBytes - this.#used), at);
      if (got === 0) return this.zeros(left);
      this.#used += got;
      left -= got;
      if (at !== null) at += got;
    }
  }

  zeros(lengthBytes: number): void {
    for (let left = lengthBytes; left > 0; ) {
      if (this.#used === bufferBytes) this.flush();
      const length = Math.min(left, bufferBytes - this.#used);
      this.#buffer.fill(0, this.#used, this.#used + length);
      this.#used += length;
      left -= length;
    }
  }

  flush(): void {
    if (this.#used === 0) return;
    this.#sink.write(this.#buffer.subarray(0, this.#used));
    if (this.#buffer.buffer.byteLength === 0) this.#buffer = Buffer.allocUnsafeSlow(bufferBytes); // given away
    this.#used = 0;
  }
}
