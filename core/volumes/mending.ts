import type { Logger } from '@gantry/sdk';
import { messageOf } from '@gantry/sdk';

const firstDelayMs = 100;
const longestDelayMs = 60_000;
const longEnoughMs = 10_000;

interface Broken {
  delayMs: number;
  brokeAtMs: number;
  timer: NodeJS.Timeout;
}

/** Tries to mount anew what broke, after a delay that grows while it breaks again soon, until it succeeds. Disposing ends the trying. */
export class Mending implements Disposable {
  readonly #log: Logger;
  readonly #waiting = new Map<string, Broken>();
  #isOver = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** `mend` rejects when it is worth another try. */
  later(path: string, mend: () => Promise<void>): void {
    if (this.#isOver) return;
    const now = performance.now();
    const before = this.#waiting.get(path);
    clearTimeout(before?.timer);
    const isSoon = before !== undefined && now - before.brokeAtMs < longEnoughMs + before.delayMs;
    const delayMs = isSoon ? Math.min(before.delayMs * 2, longestDelayMs) : firstDelayMs;
    const timer = setTimeout(() => void this.#try(path, mend), delayMs);
    timer.unref();
    this.#waiting.set(path, { delayMs, brokeAtMs: now, timer });
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  async #try(path: string, mend: () => Promise<void>): Promise<void> {
    try {
      await mend();
    } catch (error) {
      this.#log.warn({ path, error: messageOf(error) }, 'a volume that broke could not be mounted anew');
      this.later(path, mend);
    }
  }
}
