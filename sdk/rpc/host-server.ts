import { notImplemented } from '../errors.ts';
import type { HostContext } from '../plugin.ts';
import type { Logger } from '../types/index.ts';
import type { HostService, LogRequest } from './generated-host.ts';

/** What a plugin is activated with, for one that asks over a wire. More than 1,000 log lines a second are dropped. */
export function hostServiceOf(host: HostContext): HostService {
  const mayLog = perSecond(1_000);
  return {
    async log(requests) {
      for await (const { level, message, fields } of requests) if (mayLog()) logLine(host.log, level, message, fields);
    },
    stateGet: async ({ key }) => {
      const entry = await host.state.get(key);
      return entry === undefined ? {} : { entry };
    },
    statePut: ({ writes, relaxed }) =>
      host.state.put(
        // A write without a value deletes.
        writes.map((write) => ({ ...write, value: write.value })),
        { relaxed },
      ),
    async *stateList({ prefix }) {
      yield* await host.state.list(prefix);
    },
    async lookup({ kind, id }) {
      const facts = await host.lookup(kind as Parameters<HostContext['lookup']>[0], id);
      return { found: facts !== undefined, facts: facts ?? null };
    },
    async *subscribe({ topics }, { signal }) {
      for await (const facts of host.subscribe(topics, { signal })) yield { facts };
    },
    async removeData({ path }) {
      if (host.removeData === undefined) throw notImplemented('nobody here deletes data for a plugin');
      await host.removeData(path);
    },
    report: ({ degraded, hasDegraded, ...report }) => host.report({ ...report, ...(hasDegraded ? { degraded } : {}) }),
  };
}

function logLine(log: Logger, level: LogRequest['level'], message: string, fields: unknown): void {
  log[level](typeof fields === 'object' && fields !== null ? fields : {}, message.slice(0, 16_384));
}

function perSecond(most: number): () => boolean {
  let second = 0;
  let left = most;
  return () => {
    const now = Math.floor(performance.now() / 1_000);
    if (now !== second) [second, left] = [now, most];
    left -= 1;
    return left >= 0;
  };
}
