import { isMainThread } from 'node:worker_threads';
import { koffi } from '../calls.ts';
import { type PollHandle, pollInTurns } from './polling.ts';

export interface Interest {
  readonly readable?: boolean;
  readonly writable?: boolean;
}

/**
 * Calls back while a descriptor is ready, in this thread's event loop (libuv's epoll), for what node:net cannot hold: pidfds, SOCK_SEQPACKET, pipes of others.
 * After an error on the descriptor (POLLERR) it calls back once and rests until the next `want`.
 * The descriptor stays its owner's, who disposes of the watch before closing it. It becomes non-blocking. An active watch keeps the process alive unless `unref`ed.
 */
export class Watch implements Disposable {
  readonly #callback: () => void;
  #handle: PollHandle | undefined;
  #interest = '';
  #isQueued = false;

  constructor(descriptor: number, callback: () => void, interest: Interest = { readable: true }) {
    this.#callback = callback;
    this.#interest = keyOf(interest);
    this.#handle = isMainThread ? koffi().node.poll(descriptor, interest, this.#ready) : pollInTurns(descriptor, interest, this.#ready);
    active.add(this);
  }

  /** Waits for something else from now on; for nothing at all, it rests. */
  want(interest: Interest): void {
    const key = keyOf(interest);
    if (key === this.#interest || !this.#handle) return;
    this.#interest = key;
    if (key === '') this.#handle.stop();
    else this.#handle.start(interest, this.#ready);
  }

  unref(): void {
    this.#handle?.unref();
  }

  [Symbol.dispose](): void {
    active.delete(this);
    this.#handle?.close();
    this.#handle = undefined;
  }

  /** libuv calls this outside of Node's own callback scope, where promises would not go on and errors would vanish: the work runs right after, as an immediate. */
  readonly #ready = (status: unknown): void => {
    // koffi passes libuv's status first, whatever its types say. On POLLERR libuv says so once and stops: whoever goes on calls `want` again.
    const hasFailed = typeof status === 'number' && status < 0;
    if (hasFailed) this.#interest = '';
    if (this.#isQueued) return;
    this.#isQueued = true;
    setImmediate(() => {
      this.#isQueued = false;
      if (this.#handle && (this.#interest !== '' || hasFailed)) this.#callback();
    });
  };
}

/** The handle of a collected object would be closed silently. */
const active = new Set<Watch>();

function keyOf({ readable = false, writable = false }: Interest): string {
  return `${readable ? 'r' : ''}${writable ? 'w' : ''}`;
}
