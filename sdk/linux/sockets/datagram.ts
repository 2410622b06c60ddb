import { closeSync } from 'node:fs';
import { declare, koffi } from '../calls.ts';
import { checked, errnoError, isErrno } from '../errno.ts';
import { sendSome } from './stream-calls.ts';
import { connectUnix } from './unix-address.ts';
import { Watch } from './watch.ts';

/** A SOCK_DGRAM unix socket (unix(7)) that sends to one path, such as /dev/log: Node has none. The path may be of any length. Throws ENOENT, ECONNREFUSED, EPROTOTYPE. */
export class UnixDatagramSocket implements Disposable {
  readonly #socket: number;
  /** There as soon as the receiver's queue was full once, which holds but ten (net.unix.max_dgram_qlen). */
  #watch: Watch | undefined;
  #wake: () => void = () => {};
  #isClosed = false;

  constructor(path: string) {
    this.#socket = checked(callSocket(1, 2 | 0o2000000 | 0o4000, 0), 'socket');
    try {
      connectUnix(this.#socket, path);
    } catch (error) {
      closeSync(this.#socket);
      throw error;
    }
  }

  /** Sends one datagram; waits while the receiver's queue is full. One call at a time. Rejects with ECONNREFUSED or ENOTCONN when the receiver went, EMSGSIZE when it is too big for a datagram. */
  async send(bytes: Uint8Array, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.#whenRoom(() => sendSome(this.#socket, bytes) !== 'again', signal);
  }

  /** Sends an open file's descriptor in an empty datagram: SCM_RIGHTS of unix(7). The file stays the caller's, who may close it then. */
  async sendDescriptor(descriptor: number, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.#whenRoom(() => this.#sendRights(descriptor), signal);
  }

  /** A second call does nothing. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch?.[Symbol.dispose]();
    this.#wake();
    closeSync(this.#socket);
  }

  async #whenRoom(attempt: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#isClosed) throw errnoError('send', { errno: 32, detail: 'closed by us' });
      if (attempt()) return;
      await this.#room(signal);
    }
  }

  /** Resolves when there may be room, or the signal is aborted. */
  async #room(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    signal?.addEventListener('abort', wake, { once: true });
    this.#watch ??= new Watch(this.#socket, () => this.#wake(), { writable: true });
    this.#watch.want({ writable: true });
    await promise;
    this.#watch.want({});
    signal?.removeEventListener('abort', wake);
  }

  #sendRights(descriptor: number): boolean {
    // struct cmsghdr { size_t len = 20; int level = SOL_SOCKET; int type = SCM_RIGHTS; int descriptor }, padded to 24 bytes.
    const control = Buffer.alloc(24);
    control.writeBigUInt64LE(20n);
    control.writeInt32LE(1, 8);
    control.writeInt32LE(1, 12);
    control.writeInt32LE(descriptor, 16);
    // struct msghdr of 64-bit systems: name, its length, vectors, their number, control, its length, flags.
    const message = new BigUint64Array([0n, 0n, 0n, 0n, koffi().address(control), 24n, 0n]);
    try {
      checked(callSendmsg(this.#socket, message, 0x4000 /* MSG_NOSIGNAL */), 'sendmsg');
      return true;
    } catch (error) {
      if (isErrno(error, 'EAGAIN')) return false;
      throw error;
    }
  }
}

const callSocket = declare<(domain: number, type: number, protocol: number) => number>('socket', 'int', ['int', 'int', 'int']);
const callSendmsg = declare<(socket: number, message: BigUint64Array, flags: number) => number>('sendmsg', 'long', [
  'int',
  'void *',
  'int',
]);
