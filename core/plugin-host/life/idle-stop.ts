import { durationMs } from '@gantry/sdk';

/** Tells when nobody called a plugin for its manifest's `idleStop`. A stream that is open is a use of it. */
export class IdleStop {
  readonly #idleStop: () => string | undefined;
  readonly #onIdle: () => void;
  #timer: NodeJS.Timeout | undefined;
  #held = 0;
  #closed = false;

  /** `idleStop` is asked at each use: an upgrade may change it. */
  constructor(idleStop: () => string | undefined, onIdle: () => void) {
    this.#idleStop = idleStop;
    this.#onIdle = onIdle;
  }

  /** It was used: the time begins anew. */
  touch(): void {
    clearTimeout(this.#timer);
    const idleStop = this.#idleStop();
    if (idleStop === undefined || this.#held > 0 || this.#closed) return;
    this.#timer = setTimeout(this.#onIdle, durationMs(idleStop));
    this.#timer.unref();
  }

  hold(): Disposable {
    this.#held += 1;
    clearTimeout(this.#timer);
    return {
      [Symbol.dispose]: () => {
        this.#held -= 1;
        this.touch();
      },
    };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
