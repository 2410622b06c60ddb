import type { LogQuery } from '@gantry/sdk/engine';
import { compareLogTime, type Entry, logAttributes } from '@gantry/sdk/log';
import type { Batch, BatchLimits } from './cri-parser.ts';
import { wanted } from './lines.ts';
import type { Segments } from './segments.ts';
import { SpoolReader } from './spool-reader.ts';
import type { LoggedContainer } from './types.ts';

const limits: BatchLimits = { maxEntries: 1_000, maxBytes: 256 * 1024 };

export interface SpoolSource {
  readonly segments: Segments;
  /** Resolves when there may be more. */
  readonly changed: () => Promise<void>;
  /** No more will be written. */
  readonly isComplete: () => boolean;
  /** Lines that are not ended yet are given as well, piece by piece. */
  readonly inPieces?: boolean;
}

/** What the spool still holds of a container's output, for drivers that cannot read: as much as fits into its limit. Abort throws its reason. */
export async function* readSpool(
  { segments, changed, isComplete, inPieces = false }: SpoolSource,
  query: LogQuery,
): AsyncGenerator<readonly Entry[]> {
  using reader = new SpoolReader(segments, { segment: segments.oldest ?? segments.nextNumber, offset: 0, pending: {} }, { inPieces });
  const isWanted = wanted(query);
  if (query.tail !== undefined) yield (await lastEntries(reader, query.tail, query, isComplete)).filter(isWanted);
  for (;;) {
    query.signal?.throwIfAborted();
    // Asked before reading: what was written before the end is read after it.
    const wasComplete = query.follow !== true || isComplete();
    const batch: Batch = { entries: [], bytes: 0 };
    const hasMore = reader.read(batch, limits);
    if (!hasMore && wasComplete) reader.flush(batch);
    if (batch.entries.length > 0) yield batch.entries.filter(isWanted);
    if (isPast(batch.entries.at(-1), query)) return;
    if (hasMore) await new Promise(setImmediate);
    else if (wasComplete) return;
    else await changed();
  }
}

/** What a container's options say about each of its entries, as drivers that can read tell it; to other people's they may mean something else. */
export function attributesOf({ info, options }: Pick<LoggedContainer, 'info' | 'options'>): Readonly<Record<string, string>> {
  try {
    return logAttributes(info, options);
  } catch {
    return {};
  }
}

async function lastEntries(reader: SpoolReader, count: number, { signal }: LogQuery, isComplete: () => boolean): Promise<readonly Entry[]> {
  let last: Entry[] = [];
  for (;;) {
    signal?.throwIfAborted();
    const batch: Batch = { entries: [], bytes: 0 };
    const wasComplete = isComplete();
    const hasMore = reader.read(batch, limits);
    if (!hasMore && wasComplete) reader.flush(batch);
    if (count > 0) last = [...last, ...batch.entries].slice(-count);
    if (!hasMore) return last;
    await new Promise(setImmediate);
  }
}

function isPast(entry: Entry | undefined, { until }: LogQuery): boolean {
  return entry !== undefined && until !== undefined && compareLogTime(entry.time, until) > 0;
}
