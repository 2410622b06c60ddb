import { closeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type Listener, type Listening, listen } from './listen.ts';

export type Order =
  | { readonly kind: 'open'; readonly id: number; readonly listening: Listening }
  | { readonly kind: 'close'; readonly id: number; readonly isGone: boolean };
/** Without a reason: it is closed, as it was told. */
export interface Report {
  readonly id: number;
  readonly reason?: string;
}

/** Where ports are served. The socket of `open` is the place's until `close` resolves. */
export interface Place extends AsyncDisposable {
  open(id: number, listening: Listening): void;
  close(id: number, options: { readonly isGone: boolean }): Promise<void>;
}

type OnFailure = (id: number, reason: string) => void;

/** In this event loop; opening waits for the next turn, since a container's start does not wait for it: the kernel keeps whoever comes before. */
export class Here implements Place {
  readonly #onFailure: OnFailure;
  readonly #waiting = new Map<number, Listening>();
  readonly #listeners = new Map<number, Listener>();
  #turn: NodeJS.Immediate | undefined;

  constructor(onFailure: OnFailure) {
    this.#onFailure = onFailure;
  }

  open(id: number, listening: Listening): void {
    this.#waiting.set(id, listening);
    this.#turn ??= setImmediate(() => this.#openSome());
  }

  async close(id: number, { isGone }: { readonly isGone: boolean }): Promise<void> {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) closeSync(waiting.socket);
    this.#waiting.delete(id);
    const listener = this.#listeners.get(id);
    if (isGone) listener?.destroy();
    else listener?.close();
    this.#listeners.delete(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearImmediate(this.#turn);
    await Promise.all([...this.#waiting.keys(), ...this.#listeners.keys()].map((id) => this.close(id, { isGone: true })));
  }

  /** Some 50 µs each: not all of a hundred in one turn. */
  #openSome(): void {
    for (const [id, listening] of [...this.#waiting].slice(0, 8)) {
      this.#waiting.delete(id);
      this.#listeners.set(
        id,
        listen(listening, (error) => this.#onFailure(id, error.message)),
      );
    }
    this.#turn = this.#waiting.size === 0 ? undefined : setImmediate(() => this.#openSome());
  }
}

/** In a thread, started with the first port: what flows through takes no time from the engine's calls. */
export class Thread implements Place {
  readonly #onFailure: OnFailure;
  readonly #closing = new Map<number, () => void>();
  #thread: Worker | undefined;

  constructor(onFailure: OnFailure) {
    this.#onFailure = onFailure;
  }

  open(id: number, listening: Listening): void {
    this.#thread ??= this.#start();
    this.#tell({ kind: 'open', id, listening });
  }

  /** Some 0.1 ms; a thread that is only starting has to get so far first. */
  async close(id: number, { isGone }: { readonly isGone: boolean }): Promise<void> {
    if (this.#thread === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closing.set(id, resolve);
    this.#thread.ref();
    this.#tell({ kind: 'close', id, isGone });
    await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread?.terminate();
  }

  #tell(order: Order): void {
    this.#thread?.postMessage(order);
  }

  #start(): Worker {
    const thread = new Worker(new URL('main.ts', import.meta.url), { name: 'ports', stdin: false, trackUnmanagedFds: false });
    thread.unref();
    thread.on('message', ({ id, reason }: Report) => {
      if (reason === undefined) this.#closed(id);
      else this.#onFailure(id, reason);
    });
    thread.on('error', (error) => this.#onFailure(0, error.message));
    thread.on('exit', () => this.#ended());
    return thread;
  }

  #closed(id: number): void {
    this.#closing.get(id)?.();
    this.#closing.delete(id);
    if (this.#closing.size === 0) this.#thread?.unref();
  }

  /** Its sockets are closed with it; the next port has another one. */
  #ended(): void {
    this.#thread = undefined;
    for (const resolve of this.#closing.values()) resolve();
    this.#closing.clear();
  }
}
