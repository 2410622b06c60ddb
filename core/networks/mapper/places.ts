import { closeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type Listener, type Listening, listen } from './listen.ts';

export type Order =
  | { readonly kind: 'open'; readonly id: number; readonly listening: Listening }
  | { readonly kind: 'close'; readonly id: number; readonly isGone: boolean };
export interface Failure {
  readonly id: number;
  readonly reason: string;
}

/** Where ports are served. The socket of `open` is the place's from then on. */
export interface Place extends Disposable {
  open(id: number, listening: Listening): void;
  close(id: number, options: { readonly isGone: boolean }): void;
}

type OnFailure = (id: number, reason: string) => void;

/** In this event loop; opening waits for the next turn, since a container's start does not wait for it. */
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

  close(id: number, { isGone }: { readonly isGone: boolean }): void {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) closeSync(waiting.socket);
    this.#waiting.delete(id);
    const listener = this.#listeners.get(id);
    if (isGone) listener?.destroy();
    else listener?.close();
    this.#listeners.delete(id);
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#waiting.keys(), ...this.#listeners.keys()]) this.close(id, { isGone: true });
    clearImmediate(this.#turn);
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
  #thread: Worker | undefined;

  constructor(onFailure: OnFailure) {
    this.#onFailure = onFailure;
  }

  open(id: number, listening: Listening): void {
    this.#thread ??= this.#start();
    this.#tell({ kind: 'open', id, listening });
  }

  close(id: number, { isGone }: { readonly isGone: boolean }): void {
    this.#tell({ kind: 'close', id, isGone });
  }

  [Symbol.dispose](): void {
    void this.#thread?.terminate();
    this.#thread = undefined;
  }

  #tell(order: Order): void {
    this.#thread?.postMessage(order);
  }

  #start(): Worker {
    const thread = new Worker(new URL('main.ts', import.meta.url), { name: 'ports', stdin: false });
    thread.unref();
    thread.on('message', ({ id, reason }: Failure) => this.#onFailure(id, reason));
    thread.on('error', (error) => this.#onFailure(0, error.message));
    return thread;
  }
}
