import type { Attached, AttachOptions, OutputChunk } from '@gantry/sdk/engine';
import { connectSeqpacket, type SeqpacketSocket } from '@gantry/sdk/linux';
import { keepAlive } from '../../support/index.ts';
import { DetachScanner, parseDetachKeys } from './detach-keys.ts';

const stderrMark = 3;

type StreamOptions = Pick<AttachOptions, 'stdin' | 'stdout' | 'stderr' | 'detachKeys'> & { readonly tty: boolean };

/**
 * One client of a monitor's attach socket. Each has its own connection: a client that does not read holds up the process, as its terminal
 * would, once 1 MiB is waiting for it.
 */
export class ClientStream implements Attached {
  readonly tty: boolean;
  readonly #socket: Promise<SeqpacketSocket | undefined>;
  readonly #options: StreamOptions;
  readonly #scanner: DetachScanner | undefined;
  readonly #closed: AbortController = new AbortController();
  /** Awaited before the output ends, so that who reads it to the end finds the exit code. */
  readonly #settled: Promise<unknown>;

  constructor(socket: Promise<SeqpacketSocket | undefined>, options: StreamOptions, settled: Promise<unknown> = Promise.resolve()) {
    this.#socket = socket;
    this.#options = options;
    this.#settled = settled;
    this.tty = options.tty;
    const keys = parseDetachKeys(options.detachKeys);
    this.#scanner = options.tty ? new DetachScanner(keys) : undefined;
    socket.catch(() => undefined);
  }

  get output(): AsyncIterable<OutputChunk> {
    return this.#read();
  }

  async write(data: Buffer): Promise<void> {
    const { data: rest, detached } = this.#scanner?.push(data) ?? { data, detached: false };
    const socket = await this.#socket;
    if (this.#options.stdin && rest.length > 0 && !this.#closed.signal.aborted) await socket?.write(rest).catch(ignoreEnd);
    if (detached) this.#close(socket);
  }

  async end(): Promise<void> {
    const socket = await this.#socket;
    if (this.#options.stdin && !this.#closed.signal.aborted) await socket?.shutdownWrite().catch(ignoreEnd);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    this.#close(await Promise.race([this.#socket.catch(() => undefined), Promise.resolve(undefined)]));
    void this.#socket.then((socket) => socket?.close()).catch(() => undefined);
  }

  async *#read(): AsyncGenerator<OutputChunk> {
    const socket = await this.#socket;
    if (socket === undefined) return;
    if (this.#closed.signal.aborted) {
      socket.close();
      return;
    }
    const { stdout, stderr } = this.#options;
    try {
      for await (const packet of socket.packets()) {
        const source = packet[0] === stderrMark ? 'stderr' : 'stdout';
        if (source === 'stdout' ? stdout : stderr) yield { source, data: packet.subarray(1) };
      }
      using _alive = keepAlive();
      if (!this.#closed.signal.aborted) await this.#settled;
    } finally {
      socket.close();
    }
  }

  #close(socket: SeqpacketSocket | undefined): void {
    this.#closed.abort();
    socket?.close();
  }
}

/**
 * Of a container's monitor: once it is answered, everything that the process writes comes, unless the monitor has not called accept(2) in
 * five seconds.
 */
export function openAccepted(path: string, signal?: AbortSignal): Promise<SeqpacketSocket> {
  return connectSeqpacket(path, { signal, acceptWithinMs: 5_000 });
}

/** Of an exec's monitor, which accepts nothing before it has started the process, and then reads from it. */
export function openStream(path: string, signal?: AbortSignal): Promise<SeqpacketSocket> {
  return connectSeqpacket(path, { signal });
}

/** The process is gone and with it whoever would read. */
function ignoreEnd(): void {}
