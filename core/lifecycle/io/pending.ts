import type { Streams } from '@gantry/sdk/exec';
import type { SeqpacketSocket } from '@gantry/sdk/linux';
import type { Entry } from '../entry.ts';
import { openAccepted } from './streams.ts';

/** Somebody who attached to a container that does not run yet: connected before its program starts, so that no output is lost. */
export interface PendingAttach {
  readonly resolve: (socket: SeqpacketSocket | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** A connection as soon as the container is started; undefined when it is removed instead. Abort: given up. */
export function waitForStart(entry: Entry, signal?: AbortSignal): Promise<SeqpacketSocket | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<SeqpacketSocket | undefined>();
  const pending = { resolve, reject };
  entry.attaching.add(pending);
  signal?.addEventListener('abort', () => {
    if (entry.attaching.delete(pending)) resolve(undefined);
  });
  return promise;
}

/** Between the creation of the process and its start. */
export async function connectPending(entry: Entry, { attachSocket }: Streams): Promise<void> {
  const waiting = [...entry.attaching];
  entry.attaching.clear();
  if (attachSocket === undefined) return dropPending(waiting);
  await Promise.all(waiting.map((one) => openAccepted(attachSocket).then(one.resolve, one.reject)));
}

export function dropPending(waiting: Iterable<PendingAttach>): void {
  for (const one of waiting) one.resolve(undefined);
}
