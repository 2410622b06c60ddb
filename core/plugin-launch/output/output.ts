import { closeSync } from 'node:fs';
import type { PluginLine } from '@gantry/sdk/engine';
import { pipe, readSome, Watch } from '@gantry/sdk/linux';
import { Lines } from './lines.ts';
import { RateLimit } from './rate-limit.ts';

const chunk = Buffer.allocUnsafeSlow(1 << 16);
const chunksPerTurn = 4;
/** At 256 KiB a turn this is 50 MB/s: enough for whoever means it, and a tenth of a CPU for whoever does not. */
const floodPauseMs = 5;

/** What a plugin prints: two pipes, one limit. It is read always, so the plugin never waits for long, and never much at once, so neither does the engine. */
export class Output implements Disposable {
  readonly #limit: RateLimit;
  readonly #onLine: (line: PluginLine) => void;
  readonly #streams: readonly [stdout: Stream, stderr: Stream];

  constructor(onLine: (line: PluginLine) => void) {
    this.#onLine = onLine;
    this.#limit = new RateLimit((text) => this.say(text));
    const stream = (source: 'stdout' | 'stderr'): Stream =>
      new Stream(this.#limit, (line) => this.#onLine({ time: new Date(), source, line }));
    this.#streams = [stream('stdout'), stream('stderr')];
  }

  /** The ends for the plugin, until `begin`. */
  get writers(): readonly [stdout: number, stderr: number] {
    return [this.#streams[0].writer, this.#streams[1].writer];
  }

  /** A line of the engine's about the plugin. */
  say(line: string): void {
    this.#onLine({ time: new Date(), source: 'engine', line });
  }

  /** To be called when the plugin has its ends. */
  begin(): void {
    for (const stream of this.#streams) stream.begin();
  }

  /** Reads what is there, at most 1 MiB of each, for when the plugin has ended. */
  drain(): void {
    for (const stream of this.#streams) stream.drain();
  }

  [Symbol.dispose](): void {
    for (const stream of this.#streams) stream[Symbol.dispose]();
    this.#limit[Symbol.dispose]();
  }
}

class Stream implements Disposable {
  readonly #ends = pipe();
  readonly #lines: Lines;
  #watch: Watch | undefined;
  #pause: NodeJS.Timeout | undefined;
  #writerIsOpen = true;

  constructor(limit: RateLimit, onLine: (line: string) => void) {
    this.#lines = new Lines(limit, onLine);
  }

  get writer(): number {
    return this.#ends.writer;
  }

  begin(): void {
    this.#closeWriter();
    this.#watch = new Watch(this.#ends.reader, () => this.#turn());
    this.#watch.unref();
  }

  drain(): void {
    for (let round = 0; round < 16; round++) if (this.#read() === 'done') break;
    this.#lines.end();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#pause);
    this.#watch?.[Symbol.dispose]();
    this.#closeWriter();
    closeSync(this.#ends.reader);
    this.#lines.end();
  }

  #turn(): void {
    for (let round = 0; round < chunksPerTurn; round++) if (this.#read() === 'done') return;
    this.#watch?.want({});
    this.#pause = setTimeout(() => this.#watch?.want({ readable: true }), floodPauseMs).unref();
  }

  #read(): 'more' | 'done' {
    const length = readSome(this.#ends.reader, chunk);
    if (length === 'again') return 'done';
    if (length === 0) {
      this.#watch?.want({});
      this.#lines.end();
      return 'done';
    }
    this.#lines.push(chunk.subarray(0, length));
    return length < chunk.length ? 'done' : 'more';
  }

  #closeWriter(): void {
    if (this.#writerIsOpen) closeSync(this.#ends.writer);
    this.#writerIsOpen = false;
  }
}
