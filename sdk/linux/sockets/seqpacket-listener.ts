import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { constants as system } from 'node:os';
import { basename, dirname } from 'node:path';
import { declare, errno } from '../calls.ts';
import { checked, errnoError, isErrno } from '../errno.ts';
import { openPath } from '../files/open.ts';
import { SeqpacketSocket } from './seqpacket.ts';
import { listenOn } from './sockets.ts';
import { Watch } from './watch.ts';

/** A SOCK_SEQPACKET unix socket that others connect to; each connection is told once. */
export class SeqpacketListener implements Disposable {
  readonly #path: string;
  readonly #socket: number;
  readonly #watch: Watch;
  readonly #onConnection: (socket: SeqpacketSocket) => void;
  #isClosed = false;

  /** Takes the place of a socket that nobody listens to any more. The path may be of any length, its last part of at most 60 bytes. */
  constructor(path: string, onConnection: (socket: SeqpacketSocket) => void) {
    this.#path = path;
    this.#onConnection = onConnection;
    this.#socket = checked(callSocket(1, 5 | 0o2000000 | 0o4000, 0), 'socket');
    try {
      unlink(path);
      bindAt(this.#socket, path);
      listenOn(this.#socket, 128);
    } catch (error) {
      closeSync(this.#socket);
      throw error;
    }
    this.#watch = new Watch(this.#socket, () => this.acceptWaiting());
    this.#watch.unref();
  }

  /** Takes all who have connected, before the event loop comes to it. */
  acceptWaiting(): void {
    while (!this.#isClosed) {
      const socket = callAccept4(this.#socket, null, null, 0o2000000 | 0o4000);
      if (socket >= 0) {
        this.#onConnection(new SeqpacketSocket(socket));
        continue;
      }
      const number = errno();
      if (number === system.errno.EAGAIN) return;
      if (number !== system.errno.EINTR && number !== system.errno.ECONNABORTED) throw errnoError('accept4', { errno: number });
    }
  }

  /** Nobody can connect any more; connections stay. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch[Symbol.dispose]();
    closeSync(this.#socket);
    unlink(this.#path);
  }
}

/** By a descriptor of the folder, as sun_path holds no more than 107 bytes. */
function bindAt(socket: number, path: string): void {
  const folder = openSync(dirname(path), openPath | constants.O_DIRECTORY);
  try {
    const name = Buffer.from(`/proc/self/fd/${folder}/${basename(path)}`);
    if (name.length > 107) throw errnoError('bind', { path, errno: 36 });
    const address = Buffer.alloc(110);
    address.writeUInt16LE(1);
    name.copy(address, 2);
    checked(callBind(socket, address, 2 + name.length + 1), 'bind', path);
  } finally {
    closeSync(folder);
  }
}

function unlink(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

const callSocket = declare<(domain: number, type: number, protocol: number) => number>('socket', 'int', ['int', 'int', 'int']);
const callBind = declare<(socket: number, address: Uint8Array, sizeBytes: number) => number>('bind', 'int', ['int', 'void *', 'uint']);
const callAccept4 = declare<(socket: number, address: null, sizeBytes: null, flags: number) => number>('accept4', 'int', [
  'int',
  'void *',
  'void *',
  'int',
]);
