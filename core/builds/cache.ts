import { GantryError, invalidArgument, messageOf, type Logger } from '@gantry/sdk';
import type { CacheRecord, Filters } from '@gantry/sdk/engine';
import type { ImagesRoom } from '../images/index.ts';
import type { CacheRows } from '../metadata/index.ts';

interface Parts {
  readonly rows: CacheRows;
  readonly images: ImagesRoom;
  readonly log: Logger;
}

/** What a step made is an image without a name, remembered under keys. An image that goes takes its keys along. */
export class BuildCache implements Disposable {
  readonly #parts: Parts;
  /** Keys that were used, to be written down in one go. */
  readonly #used = new Set<string>();
  #writing: NodeJS.Timeout | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  find(key: string): string | undefined {
    const found = this.#parts.rows.imageOf(key);
    if (found !== undefined) this.#use(key);
    return found;
  }

  /** In the caller's transaction. */
  remember(keys: readonly string[], imageId: string): void {
    for (const key of keys) this.#parts.rows.put(key, imageId, Date.now());
  }

  records(): readonly CacheRecord[] {
    const { images } = this.#parts;
    const byImage = Map.groupBy(this.#parts.rows.all(), ({ imageId }) => imageId);
    return [...byImage].map(([id, rows]) => {
      const image = images.inspect(id);
      const isNamed = images.standsUnderName(id);
      return {
        id,
        kind: 'regular',
        parent: image.parent,
        description: image.config.history?.at(-1)?.created_by ?? '',
        inUse: images.isUsed(id),
        shared: isNamed,
        sizeBytes: image.config.history?.at(-1)?.empty_layer === true ? 0 : images.topLayerBytes(id),
        createdMs: Math.min(...rows.map(({ createdMs }) => createdMs)),
        usedMs: Math.max(...rows.map(({ usedMs }) => usedMs)),
        uses: rows.reduce((sum, { uses }) => sum + uses, 0),
      };
    });
  }

  /** Unless something stands on it. */
  async remove(id: string): Promise<boolean> {
    if (this.#parts.images.hasChildren(id)) return false;
    try {
      await this.#parts.images.remove(id, { force: false, prune: false });
      return true;
    } catch (error) {
      if (!GantryError.is(error)) throw error;
      this.#parts.log.debug({ image: id, error: messageOf(error) }, 'a cached step stays');
      return false;
    }
  }

  #use(key: string): void {
    this.#used.add(key);
    this.#writing ??= setTimeout(() => this.#write(), writeLaterMs).unref();
  }

  #write(): void {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    if (this.#used.size > 0) this.#parts.rows.use([...this.#used], Date.now());
    this.#used.clear();
  }

  [Symbol.dispose](): void {
    this.#write();
  }
}

/** A build looks up many keys at once. */
const writeLaterMs = 1000;

/** Which records are meant: Docker's filters of `builder prune`. */
export function recordFilter(filters: Filters): (record: CacheRecord) => boolean {
  for (const key of Object.keys(filters))
    if (!Object.hasOwn(tests, key)) throw invalidArgument(`invalid filter '${key}'`, { hint: `one of ${Object.keys(tests).join(', ')}` });
  const wanted = Object.entries(filters).flatMap(([key, values]) => {
    const test = tests[key];
    return test === undefined || values === undefined || values.length === 0 ? [] : [values.map(test)];
  });
  return (record) => wanted.every((alternatives) => alternatives.some((test) => test(record)));
}

type RecordTest = (value: string) => (record: CacheRecord) => boolean;

const unusedFor: RecordTest = (value) => {
  const ageMs = durationMs(value);
  return ({ usedMs }) => Date.now() - usedMs > ageMs;
};
const tests: Readonly<Record<string, RecordTest>> = {
  until: unusedFor,
  'unused-for': unusedFor,
  id: (value) => (record) => bare(record.id).includes(bare(value)),
  parent: (value) => (record) => record.parent !== '' && bare(record.parent).startsWith(bare(value)),
  type: (value) => (record) => record.kind === value,
  description: (value) => (record) => record.description === value,
  inuse: (value) => (record) => record.inUse === isTrue('inuse', value),
  shared: (value) => (record) => record.shared === isTrue('shared', value),
  private: (value) => (record) => record.shared !== isTrue('private', value),
};

function bare(id: string): string {
  return id.replace('sha256:', '');
}

function isTrue(key: string, value: string): boolean {
  if (/^(?:1|true)$/i.test(value)) return true;
  if (/^(?:0|false)$/i.test(value)) return false;
  throw invalidArgument(`invalid filter '${key}=${value.slice(0, 40)}': it is true or false`);
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's durations: "24h", "1h30m". */
function durationMs(text: string): number {
  const parts = [...text.slice(0, 64).matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text)
    throw invalidArgument(`invalid duration ${JSON.stringify(text.slice(0, 40))}`);
  return parts.reduce((sum, [, value, unit]) => sum + Number(value) * (unitsMs[unit ?? ''] ?? 0), 0);
}
