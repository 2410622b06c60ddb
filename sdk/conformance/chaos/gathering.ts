/** A call that nobody joins is answered all the same, after so long. */
const patienceMs = 500;
/** Between two answers, so that they do not leave in one packet. */
const apartMs = 2;

/** Waits until so many have come, then lets them go, the last first. */
export class Gathering {
  readonly #size: number;
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  join(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#timer ??= setTimeout(() => this.#open(), patienceMs);
    if (this.#waiting.length >= this.#size) this.#open();
    return promise;
  }

  #open(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [place, leave] of this.#waiting.toReversed().entries()) setTimeout(leave, place * apartMs);
    this.#waiting = [];
  }
}
