import { closeSync } from 'node:fs';
import { readSome, Watch, type WaitOptions } from '@gantry/sdk/linux';

/** One line of conmon's sync pipe: a pid or an exit code, negative with a message when it failed. */
export interface Report {
  readonly data: number;
  readonly message?: string | undefined;
}

/** The reading end of a pipe on which conmon reports, line by line; it owns the descriptor. */
export class Reports implements Disposable {
  readonly #descriptor: number;
  readonly #watch: Watch;
  readonly #reports: Report[] = [];
  #text = '';
  #isAtEnd = false;
  #isClosed = false;
  #waiting: (() => void) | undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    this.#watch = new Watch(descriptor, () => this.#read());
    this.#watch.unref();
  }

  /** The next report; undefined when the monitor closed its end. Rejects with the signal's reason when aborted. */
  async next({ signal, keepAlive = true }: WaitOptions = {}): Promise<Report | undefined> {
    const timer = keepAlive ? setInterval(() => {}, 2 ** 31 - 1) : undefined;
    try {
      return await this.#next(signal);
    } finally {
      clearInterval(timer);
    }
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isAtEnd = true;
    this.#watch[Symbol.dispose]();
    closeSync(this.#descriptor);
    this.#waiting?.();
  }

  async #next(signal?: AbortSignal): Promise<Report | undefined> {
    for (;;) {
      signal?.throwIfAborted();
      const report = this.#reports.shift();
      if (report !== undefined || this.#isAtEnd) return report;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = resolve;
      signal?.addEventListener('abort', () => resolve(), { once: true });
      await promise;
    }
  }

  #read(): void {
    const buffer = Buffer.allocUnsafe(8192);
    for (let length = readSome(this.#descriptor, buffer); length !== 'again'; length = readSome(this.#descriptor, buffer)) {
      if (length === 0) {
        this.#isAtEnd = true;
        this.#watch.want({});
        break;
      }
      this.#take(buffer.toString('utf8', 0, length));
    }
    this.#waiting?.();
  }

  #take(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      const report = parseReport(line);
      if (report !== undefined) this.#reports.push(report);
    }
  }
}

function parseReport(line: string): Report | undefined {
  try {
    const { data, message } = JSON.parse(line) as { readonly data?: unknown; readonly message?: unknown };
    return { data: Number(data), message: typeof message === 'string' ? message : undefined };
  } catch {
    return undefined;
  }
}
