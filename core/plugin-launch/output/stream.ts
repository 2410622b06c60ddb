import { closeSync } from 'node:fs';
import { readSome, Watch } from '@gantry/sdk/linux';
import { Lines } from './lines.ts';
import type { RateLimit } from './rate-limit.ts';

const chunk = Buffer.allocUnsafeSlow(1 << 16);
const chunksPerTurn = 4;
/** At 256 KiB a turn this is 50 MB/s: enough for whoever means it, and a tenth of a CPU for whoever does not. */
const floodPauseMs = 5;

/** Reads one end of a pipe, which it owns, as lines; never much at once. Begins at once. */
export class Stream implements Disposable {
  readonly #reader: number;
  readonly #lines: Lines;
  readonly #watch: Watch;
  #pause: NodeJS.Timeout | undefined;

  constructor(reader: number, limit: RateLimit, onLine: (line: string) => void) {
    this.#reader = reader;
    this.#lines = new Lines(limit, onLine);
    this.#watch = new Watch(reader, () => this.#turn());
    this.#watch.unref();
  }

  /** Reads what is there, at most 1 MiB, for when the writer has ended. */
  drain(): void {
    for (let round = 0; round < 16; round++) if (this.#read() === 'done') break;
    this.#lines.end();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#pause);
    this.#watch[Symbol.dispose]();
    closeSync(this.#reader);
    this.#lines.end();
  }

  #turn(): void {
    for (let round = 0; round < chunksPerTurn; round++) if (this.#read() === 'done') return;
    this.#watch.want({});
    this.#pause = setTimeout(() => this.#watch.want({ readable: true }), floodPauseMs).unref();
  }

  #read(): 'more' | 'done' {
    const length = readSome(this.#reader, chunk);
    if (length === 'again') return 'done';
    if (length === 0) {
      this.#watch.want({});
      this.#lines.end();
      return 'done';
    }
    this.#lines.push(chunk.subarray(0, length));
    return length < chunk.length ? 'done' : 'more';
  }
}
