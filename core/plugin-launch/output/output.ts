import { closeSync } from 'node:fs';
import type { PluginLine } from '@gantry/sdk/engine';
import { pipe } from '@gantry/sdk/linux';
import { RateLimit } from './rate-limit.ts';
import { Stream } from './stream.ts';

/** What a plugin prints: two pipes, one limit. It is read always, so the plugin never waits for long, and never much at once, so neither does the engine. */
export class Output implements Disposable {
  readonly #limit: RateLimit;
  readonly #onLine: (line: PluginLine) => void;
  readonly #pipes = [pipe(), pipe()] as const;
  #streams: readonly Stream[] | undefined;

  constructor(onLine: (line: PluginLine) => void) {
    this.#onLine = onLine;
    this.#limit = new RateLimit((text) => this.say(text));
  }

  /** The ends for the plugin, until `begin`. */
  get writers(): readonly [stdout: number, stderr: number] {
    return [this.#pipes[0].writer, this.#pipes[1].writer];
  }

  /** A line of the engine's about the plugin. */
  say(line: string): void {
    this.#onLine({ time: new Date(), source: 'engine', line });
  }

  /** To be called when the plugin has its ends. */
  begin(): void {
    for (const { writer } of this.#pipes) closeSync(writer);
    const stream = ({ reader }: { readonly reader: number }, source: 'stdout' | 'stderr'): Stream =>
      new Stream(reader, this.#limit, (line) => this.#onLine({ time: new Date(), source, line }));
    this.#streams = [stream(this.#pipes[0], 'stdout'), stream(this.#pipes[1], 'stderr')];
  }

  /** Reads what is there, at most 1 MiB of each, for when the plugin has ended. */
  drain(): void {
    for (const stream of this.#streams ?? []) stream.drain();
  }

  [Symbol.dispose](): void {
    if (this.#streams === undefined)
      for (const { reader, writer } of this.#pipes) {
        closeSync(reader);
        closeSync(writer);
      }
    for (const stream of this.#streams ?? []) stream[Symbol.dispose]();
    this.#limit[Symbol.dispose]();
  }
}
