import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { declare } from '../calls.ts';
import { asError, checked, errnoError, isErrno } from '../errno.ts';
import { whenAccepted } from './accepted.ts';
import { receiveSome, scratch, sendSome } from './stream-calls.ts';
import { connectUnix } from './unix-address.ts';
import { Watch } from './watch.ts';

/**
 * Connects to a SOCK_SEQPACKET unix socket (unix(7)), such as conmon's attach socket; the path may be of any length.
 * Waits while the listener's queue is full and, when `acceptWithinMs` is given, up to as long for the other side's accept(2): what it sends
 * to everybody goes to those it has accepted. Rejects with ENOENT, ECONNREFUSED, …, or with the signal's reason when aborted.
 */
export async function connectSeqpacket(
  path: string,
  { signal, acceptWithinMs }: { readonly signal?: AbortSignal | undefined; readonly acceptWithinMs?: number } = {},
): Promise<SeqpacketSocket> {
  const socket = checked(callSocket(1, 5 | 0o2000000 | 0o4000, 0), 'socket');
  try {
    for (;;) {
      signal?.throwIfAborted();
      if (connectUnix(socket, path)) break;
      await sleep(5, undefined, signal ? { signal } : {});
    }
    if (acceptWithinMs !== undefined) await whenAccepted(socket, { withinMs: acceptWithinMs, signal });
    return new SeqpacketSocket(socket);
  } catch (error) {
    closeSync(socket);
    throw error;
  }
}

/** A connected socket of packets, which it owns. Every socket has its own bounded buffer: a slow reader holds up its own sender, nobody else. */
export class SeqpacketSocket implements AsyncDisposable {
  readonly #socket: number;
  readonly #watch: Watch;
  readonly #packets: Buffer[] = [];
  readonly #writes: PendingWrite[] = [];
  #bufferedBytes = 0;
  #reader: PromiseWithResolvers<void> | undefined;
  #isAtEnd = false;
  #isClosed = false;
  #failure: Error | undefined;

  /** Takes a connected, non-blocking descriptor over. */
  constructor(socket: number) {
    this.#socket = socket;
    this.#watch = new Watch(socket, () => this.#ready());
  }

  /** The packets in their order, one reader at a time; ends when the other side has closed, or when `close` is called. Throws what broke the connection. */
  async *packets(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const packet = this.#packets.shift();
      if (packet) {
        this.#bufferedBytes -= packet.length;
        this.#wantWhatIsNeeded();
        yield packet;
        continue;
      }
      if (this.#failure) throw this.#failure;
      if (this.#isAtEnd || this.#isClosed) return;
      this.#reader ??= Promise.withResolvers<void>();
      await this.#reader.promise;
    }
  }

  /**
   * Sends bytes, cut into packets of at most 8 KiB, which every conmon takes whole. Resolves when the kernel has them all: wait for it before the next for back-pressure.
   * Nothing is sent for no bytes, since the other side would take an empty packet for the end. Rejects with EPIPE when it has gone.
   */
  write(bytes: Uint8Array): Promise<void> {
    return this.#enqueue({ bytes, isLast: false });
  }

  /** Tells the other side that no more comes, after all writes; what it sends can still be read. */
  shutdownWrite(): Promise<void> {
    return this.#enqueue({ bytes: new Uint8Array(0), isLast: true });
  }

  /** Ends both directions at once; unsent bytes are lost and their writes reject. A second call does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch[Symbol.dispose]();
    closeSync(this.#socket);
    for (const { reject } of this.#writes.splice(0)) reject(closedError());
    this.#wakeReader();
  }

  /** Lets the process end although this is open. */
  unref(): void {
    this.#watch.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #enqueue(write: Pick<PendingWrite, 'bytes' | 'isLast'>): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#writes.push({ ...write, resolve, reject });
    if (this.#writes.length === 1) this.#send();
    this.#wantWhatIsNeeded();
    return promise;
  }

  #ready(): void {
    this.#receive();
    this.#send();
    this.#wantWhatIsNeeded();
  }

  #receive(): void {
    // At most 64 packets a turn, so that one busy socket does not starve the loop.
    for (let turn = 0; turn < 64 && this.#wantsPackets; turn++) {
      try {
        const length = receiveSome(this.#socket, scratch());
        if (length === 'again') return;
        if (length > scratch().length) throw errnoError('recv', { errno: 90, detail: `packet of ${length} bytes` });
        if (length === 0) this.#isAtEnd = true;
        else this.#packets.push(Buffer.from(scratch().subarray(0, length)));
        this.#bufferedBytes += length;
      } catch (error) {
        // A peer that left without reading all we sent is told first, once; what it sent comes after that.
        if (isErrno(error, 'ECONNRESET')) continue;
        this.#isAtEnd = true;
        this.#failure = asError(error);
      }
      this.#wakeReader();
    }
  }

  #send(): void {
    for (let write = this.#writes[0]; write; write = this.#writes[0]) {
      try {
        while (write.bytes.byteLength > 0) {
          const packet = write.bytes.subarray(0, packetBytes);
          if (sendSome(this.#socket, packet) === 'again') return;
          write.bytes = write.bytes.subarray(packet.byteLength);
        }
        if (write.isLast) checked(callShutdown(this.#socket, 1), 'shutdown');
        write.resolve();
      } catch (error) {
        write.reject(asError(error));
      }
      this.#writes.shift();
    }
  }

  get #wantsPackets(): boolean {
    return !this.#isAtEnd && this.#bufferedBytes < bufferLimitBytes;
  }

  #wantWhatIsNeeded(): void {
    this.#watch.want({ readable: this.#wantsPackets, writable: this.#writes.length > 0 });
  }

  #wakeReader(): void {
    this.#reader?.resolve();
    this.#reader = undefined;
  }
}

interface PendingWrite {
  bytes: Uint8Array;
  readonly isLast: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const packetBytes = 8192;
const bufferLimitBytes = 1 << 20;

function closedError(): Error {
  return errnoError('send', { errno: 32, detail: 'closed by us' });
}

const callSocket = declare<(domain: number, type: number, protocol: number) => number>('socket', 'int', ['int', 'int', 'int']);
const callShutdown = declare<(socket: number, how: number) => number>('shutdown', 'int', ['int', 'int']);
