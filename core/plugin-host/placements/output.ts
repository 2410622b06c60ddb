import type { PluginLine } from '@gantry/sdk/engine';

const keptLines = 500;

/** The end of what a plugin printed, over all its generations, and who follows it. Nothing that `discreet` takes out of a line is kept. */
export class Output {
  readonly #lines: PluginLine[] = [];
  readonly #followers = new Set<() => void>();
  readonly #discreet: (line: string) => string;
  #dropped = 0;

  constructor(discreet: (line: string) => string = (line) => line) {
    this.#discreet = discreet;
  }

  readonly add = (given: PluginLine): void => {
    this.#lines.push({ ...given, line: this.#discreet(given.line) });
    if (this.#lines.length > keptLines) {
      this.#lines.shift();
      this.#dropped += 1;
    }
    for (const wake of this.#followers) wake();
  };

  say(line: string): void {
    this.add({ time: new Date(), source: 'engine', line });
  }

  tail(count: number): readonly string[] {
    return this.#lines.slice(-count).map(({ line }) => line);
  }

  async *read({
    tail = keptLines,
    follow = false,
    signal,
  }: {
    readonly tail?: number;
    readonly follow?: boolean;
    readonly signal?: AbortSignal | undefined;
  }): AsyncIterable<PluginLine> {
    let position = this.#dropped + Math.max(0, this.#lines.length - tail);
    let wake = (): void => {};
    const onLine = (): void => wake();
    this.#followers.add(onLine);
    signal?.addEventListener('abort', onLine);
    try {
      while (signal?.aborted !== true) {
        position = Math.max(position, this.#dropped);
        const line = this.#lines[position - this.#dropped];
        if (line === undefined) {
          if (!follow) return;
          await new Promise<void>((resolve) => (wake = resolve));
        } else {
          position += 1;
          yield line;
        }
      }
    } finally {
      this.#followers.delete(onLine);
      signal?.removeEventListener('abort', onLine);
    }
  }
}
