import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, messageOf } from '@gantry/sdk';
import type { EventBus } from '../events/index.ts';

interface Parts {
  readonly events: EventBus;
  readonly sweep: (signal: AbortSignal) => Promise<unknown>;
  readonly log: Logger;
}

/** Soon after something came, and now and then although nothing did. */
const afterChangeMs = 1_000;
const everyMs = 10 * 60_000;

/** Sweeps while it lives; disposing waits for the sweep that runs. Failures are logged, and the next sweep tries again. */
export function keepSwept({ events, sweep, log }: Parts): AsyncDisposable {
  const stop = new AbortController();
  const { signal } = stop;
  let isWanted = Promise.withResolvers<void>();
  const want = (): void => isWanted.resolve();
  const timer = setInterval(want, everyMs).unref();
  const listen = async (): Promise<void> => {
    const filters = { type: ['image', 'container'], event: ['load', 'pull', 'import', 'tag', 'commit', 'destroy'] };
    for await (const _event of events.subscribe({ filters, signal })) want();
  };
  const run = async (): Promise<void> => {
    for (;;) {
      await isWanted.promise;
      await sleep(afterChangeMs, undefined, { signal, ref: false });
      isWanted = Promise.withResolvers();
      await sweep(signal).catch((error: unknown) => log.warn({ error: messageOf(error) }, 'unused images could not be removed'));
    }
  };
  const ended = Promise.allSettled([listen(), run()]);
  want();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      stop.abort();
      want();
      await ended;
    },
  };
}
