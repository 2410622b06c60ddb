import { compareLogTime, type Entry, type LogTime } from '@gantry/sdk/log';
import type { Batch } from './cri-parser.ts';
import type { Pump } from './pump.ts';
import { readSpool } from './read-spool.ts';
import { SpoolReader } from './spool-reader.ts';
import type { OutputQuery } from './types.ts';

/**
 * From when on the spool has everything: the first entry that this pump reads, or, when that file is gone, the oldest that is there; without any,
 * now. The monitor stamps everything that one read gave with the same time, so no moment is of two runs, nor of two files.
 */
export function beginningOf({ segments, beganAt }: Pick<Pump, 'segments' | 'beganAt'>): LogTime {
  const nowMs = Date.now();
  const { oldest = segments.nextNumber } = segments;
  const place = beganAt.segment >= oldest ? { ...beganAt, pending: {} } : { segment: oldest, offset: 0, pending: {} };
  using reader = new SpoolReader(segments, place, { inPieces: true });
  const batch: Batch = { entries: [], bytes: 0 };
  reader.read(batch, { maxEntries: 1, maxBytes: 1 });
  return batch.entries[0]?.time ?? { seconds: Math.floor(nowMs / 1e3), nanos: (nowMs % 1e3) * 1e6 };
}

export function justBefore({ seconds, nanos }: LogTime): LogTime {
  return nanos > 0 ? { seconds, nanos: nanos - 1 } : { seconds: seconds - 1, nanos: 999_999_999 };
}

/** What the spool has since `from`, without the ends of lines that were begun before: whoever has their beginning has them whole. */
export async function* beginningAt(
  from: LogTime,
  { segments }: Pick<Pump, 'segments'>,
  source: AsyncIterable<readonly Entry[]>,
): AsyncGenerator<readonly Entry[]> {
  const goingOn = new Set(segments.goingOn.get(segments.oldest ?? 0));
  let isSince = false;
  for await (const entries of source) {
    if (isSince && goingOn.size === 0) yield entries;
    else {
      yield entries.filter((entry) => {
        const isEnd = goingOn.has(entry.source);
        isSince ||= compareLogTime(entry.time, from) >= 0;
        if (!entry.partial) goingOn.delete(entry.source);
        else if (!isSince) goingOn.add(entry.source);
        return isSince && !isEnd;
      });
    }
  }
}

/** All of a running container's spool, in pieces as they are written, until `ended`. */
export async function* followSpool(pump: Pump, { ended, ...query }: OutputQuery): AsyncGenerator<readonly Entry[]> {
  let isOver = false;
  let wake = (): void => {};
  void ended.then(() => {
    isOver = true;
    wake();
  });
  const changed = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    using _watching = pump.watch(resolve);
    if (!isOver && query.signal?.aborted !== true) await promise;
  };
  const onAbort = (): void => wake();
  query.signal?.addEventListener('abort', onAbort);
  try {
    yield* readSpool({ segments: pump.segments, changed, isComplete: () => isOver, inPieces: true }, { ...query, follow: true });
  } finally {
    query.signal?.removeEventListener('abort', onAbort);
  }
}
