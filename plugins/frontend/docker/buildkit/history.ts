import { invalidArgument, notFound } from '@gantry/sdk';
import type { BuildHistory, BuildRecord, BuildRecordChange } from '@gantry/sdk/engine';
import { decode, encode, timestamp } from './messages.ts';
import { BuildProgress } from './progress.ts';
import { recordFilter } from './record-filter.ts';

interface HistoryRequest {
  readonly activeOnly: boolean;
  readonly ref: string;
  readonly earlyExit: boolean;
  readonly filter: readonly string[];
  readonly limit: number;
}
interface UpdateRequest {
  readonly ref: string;
  readonly pinned: boolean;
  readonly delete: boolean;
  readonly finalize: boolean;
}

/** What becomes of a record, as BuildKit numbers it. */
const types = { started: 0, ended: 1, changed: 1, removed: 2 } as const satisfies Record<BuildRecordChange['kind'], number>;

/** ListenBuildHistory: those that run, those that are over, and then, unless the client wants no more, what changes until it goes. */
export async function* listenBuildHistory(history: BuildHistory, bytes: Buffer, signal: AbortSignal): AsyncIterable<Buffer> {
  const { activeOnly, ref, earlyExit, filter, limit } = decode<HistoryRequest>('BuildHistoryRequest', bytes);
  if (limit < 0) throw invalidArgument(`invalid limit ${limit}`);
  const matches = recordFilter(filter);
  const changes: BuildRecordChange[] = [];
  let wake = (): void => undefined;
  const tell = (): void => wake();
  const stop = history.listen((change) => {
    changes.push(change);
    if (changes.length > mostWaiting) changes.shift();
    wake();
  });
  signal.addEventListener('abort', tell, { once: true });
  try {
    const all = history.list().filter((record) => (ref === '' || record.id === ref) && matches(record));
    const wanted = activeOnly ? all.filter(({ status }) => status === 'running') : all;
    for (const record of limit === 0 ? wanted : wanted.slice(0, limit))
      yield encodeEvent({ kind: record.status === 'running' ? 'started' : 'ended', record });
    while (!earlyExit && !signal.aborted) {
      const change = changes.shift();
      if (change === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else if ((ref === '' || change.record.id === ref) && matches(change.record)) yield encodeEvent(change);
    }
  } finally {
    stop();
    signal.removeEventListener('abort', tell);
  }
}

/** A client that does not listen hears of the last ones. */
const mostWaiting = 1_000;

/** UpdateBuildHistory: keeps a record, lets it go, or removes it. There is nothing to finalize. */
export function updateBuildHistory(history: BuildHistory, bytes: Buffer): Buffer {
  const { ref, pinned, delete: isGone, finalize } = decode<UpdateRequest>('UpdateBuildHistoryRequest', bytes);
  const record = history.list().find(({ id }) => id === ref);
  if (record === undefined) throw notFound(`no build ${JSON.stringify(ref.slice(0, 128))} in the history`);
  if (isGone) history.remove(ref);
  else if (!finalize) history.keep(ref, pinned);
  return encode('Empty', {});
}

/** Status of a build that is over: what it told, at the times of then. */
export async function* toldBefore(history: BuildHistory, ref: string, signal: AbortSignal): AsyncIterable<Buffer> {
  const progress = new BuildProgress(ref);
  for await (const { atMs, event } of history.events(ref, { signal })) {
    const update = progress.take(event, atMs);
    if (update !== undefined) yield encode('StatusResponse', update);
  }
}

function encodeEvent({ kind, record }: BuildRecordChange): Buffer {
  return encode('BuildHistoryEvent', { type: types[kind], record: recordMessage(record) });
}

function recordMessage(record: BuildRecord): object {
  const { id, startedMs, endedMs, imageId, tags, steps, warnings, isKept } = record;
  return {
    ref: id,
    frontend: 'dockerfile.v0',
    frontendAttrs: Object.keys(record.attributes).length === 0 ? attributesOf(record) : record.attributes,
    exporters: [{ type: 'image', attrs: { name: tags.join(',') } }],
    createdAt: timestamp(startedMs),
    ...(endedMs === undefined ? {} : { completedAt: timestamp(endedMs) }),
    ...(record.error === undefined ? {} : { error: errorOf(record) }),
    exporterResponse: {
      ...(imageId === '' ? {} : { 'containerimage.digest': imageId, 'containerimage.config.digest': imageId }),
      ...(tags.length === 0 ? {} : { 'image.name': tags.join(',') }),
    },
    pinned: isKept,
    numCachedSteps: steps.cached,
    numTotalSteps: steps.total,
    numCompletedSteps: steps.completed,
    numWarnings: warnings,
  };
}

/** Clients know a build that was canceled by these words. */
function errorOf({ status, error }: BuildRecord): object {
  return status === 'canceled' ? { code: 1, message: 'context canceled' } : { code: 2, message: error?.message ?? '' };
}

/** Of a build that did not come by this door, in this door's words. */
function attributesOf({ dockerfile, target, platform, buildArgs, labels, remote }: BuildRecord): Readonly<Record<string, string>> {
  const plain = { filename: dockerfile || 'Dockerfile', target, platform, context: remote };
  return Object.fromEntries([
    ...Object.entries(plain).filter(([, value]) => value !== ''),
    ...Object.entries(buildArgs).map(([name, value]) => [`build-arg:${name}`, value ?? '']),
    ...Object.entries(labels).map(([name, value]) => [`label:${name}`, value]),
  ]);
}
