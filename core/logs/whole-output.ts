import type { Entry, LogTime } from '@gantry/sdk/log';
import type { Batch } from './cri-parser.ts';
import type { Pump } from './pump.ts';
import { readSpool } from './read-spool.ts';
import type { Segments } from './segments.ts';
import { SpoolReader } from './spool-reader.ts';
import type { OutputQuery } from './types.ts';

/** When the spool's first entry was written, or, of an empty one, now. The monitor begins a file with a time of its own. */
export function beginningOf(segments: Segments): LogTime {
  const nowMs = Date.now();
  using reader = new SpoolReader(segments, { segment: segments.oldest ?? segments.nextNumber, offset: 0, pending: {} }, { inPieces: true });
  const batch: Batch = { entries: [], bytes: 0 };
  reader.read(batch, { maxEntries: 1, maxBytes: 1 });
  return batch.entries[0]?.time ?? { seconds: Math.floor(nowMs / 1e3), nanos: (nowMs % 1e3) * 1e6 };
}

export function justBefore({ seconds, nanos }: LogTime): LogTime {
  return nanos > 0 ? { seconds, nanos: nanos - 1 } : { seconds: seconds - 1, nanos: 999_999_999 };
}

/** The ends of lines that were begun before the spool's first file are left out: whoever has their beginning has them whole. */
export async function* withoutEnds(segments: Segments, source: AsyncIterable<readonly Entry[]>): AsyncGenerator<readonly Entry[]> {
  const goingOn = new Set(segments.goingOn.get(segments.oldest ?? 0));
  for await (const entries of source) {
    if (goingOn.size === 0) yield entries;
    else {
      yield entries.filter((entry) => {
        const isEnd = goingOn.has(entry.source);
        if (!entry.partial) goingOn.delete(entry.source);
        return !isEnd;
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
