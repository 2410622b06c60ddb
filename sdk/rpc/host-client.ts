import type { HostContext, StateStore } from '../plugin.ts';
import type { Logger } from '../types/index.ts';
import type { HostService, LogRequest } from './generated-host.ts';
import { remote } from './remote.ts';
import type { Wire } from './wire.ts';

export interface HostFacts extends Pick<HostContext, 'name' | 'config' | 'secrets' | 'dataDir' | 'runDir' | 'signal'> {}

/** What a plugin outside the engine's process is activated with. */
export function hostOver(wire: Wire, facts: HostFacts): HostContext {
  const host = remote<HostService>(wire, 'host');
  const ctx = { signal: facts.signal, operationId: '', log: silent };
  return {
    ...facts,
    log: loggerOver(host, facts.signal),
    state: stateOver(host, ctx),
    async lookup(kind, id) {
      const { found, facts: answer } = await host.lookup({ kind, id }, ctx);
      return found ? (answer as Readonly<Record<string, unknown>>) : undefined;
    },
    async *subscribe(topics, { signal }) {
      for await (const event of host.subscribe({ topics }, { ...ctx, signal })) yield event.facts as Readonly<Record<string, unknown>>;
    },
    removeData: (path) => host.removeData({ path }, ctx),
    report: ({ degraded, ...report }) => host.report({ ...report, degraded: degraded ?? [], hasDegraded: degraded !== undefined }, ctx),
  };
}

function stateOver(host: HostService, ctx: Parameters<HostService['stateGet']>[1]): StateStore {
  return {
    get: async (key) => (await host.stateGet({ key }, ctx)).entry,
    put: (writes, { relaxed = false } = {}) =>
      host.statePut({ writes: writes.map(({ value, ...write }) => (value === undefined ? write : { ...write, value })), relaxed }, ctx),
    list: (prefix) => Array.fromAsync(host.stateList({ prefix }, ctx)),
  };
}

/** Lines wait in a short queue for the engine; when it does not take them they are dropped, since logging must stop nobody. */
function loggerOver(host: HostService, signal: AbortSignal): Logger {
  const queue: LogRequest[] = [];
  let wake: (() => void) | undefined;
  const lines = async function* (): AsyncIterable<LogRequest> {
    while (!signal.aborted) {
      const line = queue.shift();
      if (line !== undefined) yield line;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  signal.addEventListener('abort', () => wake?.(), { once: true });
  let isOpen = false;
  const send = (line: LogRequest): void => {
    if (queue.length < 1_000) queue.push(line);
    wake?.();
    if (isOpen) return;
    isOpen = true;
    host.log(lines(), { signal, operationId: '', log: silent }).catch(() => {
      isOpen = false;
    });
  };
  return loggerTo(send, {});
}

function loggerTo(send: (line: LogRequest) => void, bindings: Readonly<Record<string, unknown>>): Logger {
  const at =
    (level: LogRequest['level']) =>
    (fields: object | string, message = ''): void => {
      const text = typeof fields === 'string' ? fields : message;
      send({ level, message: text.slice(0, 16_384), fields: { ...bindings, ...(typeof fields === 'string' ? {} : plain(fields)) } });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (more) => loggerTo(send, { ...bindings, ...more }),
  };
}

/** Errors have no enumerable properties, yet they are what is logged most. */
function plain(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? value.message : value]));
}

const quiet = (): void => {};
const silent: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => silent };
