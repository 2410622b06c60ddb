import type { Duplex } from 'node:stream';
import { type StreamChunk, demultiplex, rawOutput } from './stdcopy.ts';

/** A connection that carries a process's input and output. Closing it leaves the process alone. */
export class Hijacked implements AsyncDisposable {
  readonly #socket: Duplex;
  readonly #head: Buffer;

  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket;
    this.#head = head;
    socket.on('error', () => undefined);
  }

  /** What the process writes, until it ends. With `tty` all of it is stdout. To be read once. */
  output({ tty }: { readonly tty: boolean }): AsyncIterable<StreamChunk> {
    return tty ? rawOutput(this.#bytes()) : demultiplex(this.#bytes());
  }

  /** Resolves when taken; a connection that is gone takes nothing and does not fail. */
  async write(data: Uint8Array): Promise<void> {
    if (this.#socket.destroyed || this.#socket.writableEnded || this.#socket.write(data)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.once('drain', resolve).once('close', resolve);
    await promise;
    this.#socket.off('drain', resolve).off('close', resolve);
  }

  /** End of input; output goes on. */
  end(): void {
    this.#socket.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }

  async *#bytes(): AsyncGenerator<Buffer> {
    if (this.#head.length > 0) yield this.#head;
    try {
      yield* this.#socket as AsyncIterable<Buffer>;
    } catch (error) {
      // A peer that closes instead of half-closing looks like a reset once everything was read.
      if (!isClosed(error)) throw error;
    }
  }
}

function isClosed(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
