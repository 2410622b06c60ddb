import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { codeOf, dataLoss, GantryError, messageOf } from '@gantry/sdk';
import type { BuildEvent, BuildRecord, TimedBuildEvent } from '@gantry/sdk/engine';

/** Of the output of all steps of a build, the last is kept. */
const mostOutputBytes = 2 ** 20;
/** What a Dockerfile makes of them is no reason to keep more. */
const mostOtherEvents = 20_000;
/** What one costs besides its bytes. */
const eventBytes = 100;

type Counted = Pick<BuildRecord, 'steps' | 'warnings'>;

/** What one build told, while it runs. */
export class Recording {
  #entries: readonly Entry[] = [];
  readonly #fresh: Entry[] = [];
  #next = 0;
  #outputBytes = 0;
  #others = 0;
  #completed = 0;
  #cached = 0;
  #total = 0;
  #warnings = 0;
  #isOver = false;
  readonly #waiting: (() => void)[] = [];

  get counted(): Counted {
    return { steps: { total: this.#total, completed: this.#completed, cached: this.#cached }, warnings: this.#warnings };
  }

  take(event: BuildEvent, atMs = Date.now()): void {
    if (event.kind === 'progress') return;
    this.#count(event);
    if (event.kind === 'output') this.#outputBytes += event.data.length + eventBytes;
    else if (++this.#others > mostOtherEvents) return;
    this.#fresh.push({ number: this.#next++, atMs, event });
    if (this.#outputBytes > mostOutputBytes) this.#forgetOldest();
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  all(): readonly TimedBuildEvent[] {
    return this.#whole();
  }

  /** What was told and is still to be told. */
  async *follow(signal: AbortSignal | undefined): AsyncIterable<TimedBuildEvent> {
    const wake = (): void => this.#wake();
    signal?.addEventListener('abort', wake, { once: true });
    try {
      for (let next = 0; ; ) {
        signal?.throwIfAborted();
        const found = this.#whole().filter(({ number }) => number >= next);
        for (const { number, ...entry } of found) {
          yield entry;
          next = number + 1;
        }
        if (found.length > 0) continue;
        if (this.#isOver) return;
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    } finally {
      signal?.removeEventListener('abort', wake);
    }
  }

  #whole(): readonly Entry[] {
    if (this.#fresh.length > 0) this.#entries = [...this.#entries, ...this.#fresh.splice(0)];
    return this.#entries;
  }

  #count(event: BuildEvent): void {
    if (event.kind === 'step') this.#total = Math.max(this.#total, event.total);
    if (event.kind === 'done' || event.kind === 'failed') this.#completed += 1;
    if (event.kind === 'done' && event.isCached) this.#cached += 1;
    if (event.kind === 'warning') this.#warnings += 1;
  }

  /** A quarter of it at once, so that it is not done for each line. */
  #forgetOldest(): void {
    this.#entries = this.#whole().filter(({ event }) => {
      if (event.kind !== 'output' || this.#outputBytes <= (mostOutputBytes * 3) / 4) return true;
      this.#outputBytes -= event.data.length + eventBytes;
      return false;
    });
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

interface Entry extends TimedBuildEvent {
  readonly number: number;
}

/** As it lies on the disk: one JSON document, packed. */
export function packEvents(events: readonly TimedBuildEvent[]): Buffer {
  const plain = events.map(({ atMs, event }) => {
    if (event.kind === 'output') return { atMs, event: { ...event, data: event.data.toString('base64') } };
    if (event.kind === 'failed')
      return { atMs, event: { ...event, error: { code: codeOf(event.error), message: messageOf(event.error) } } };
    return { atMs, event };
  });
  return zstdCompressSync(JSON.stringify(plain));
}

/** `data_loss` for what `packEvents` did not write. */
export function unpackEvents(packed: Buffer): readonly TimedBuildEvent[] {
  return plainEvents(packed).map(({ atMs, event }) => {
    if (event.kind === 'output') return { atMs, event: { ...event, data: Buffer.from(String(event.data), 'base64') } };
    if (event.kind !== 'failed') return { atMs, event };
    const { code, message } = event.error as Pick<GantryError, 'code' | 'message'>;
    return { atMs, event: { ...event, error: new GantryError(code, message) } };
  });
}

function plainEvents(packed: Buffer): readonly TimedBuildEvent[] {
  try {
    return JSON.parse(zstdDecompressSync(packed, { maxOutputLength: 64 * 2 ** 20 }).toString()) as readonly TimedBuildEvent[];
  } catch (error) {
    throw dataLoss(`what the build told is damaged: ${messageOf(error)}`, { cause: error });
  }
}
