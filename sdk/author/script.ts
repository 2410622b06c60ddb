import { resolve } from 'node:path';
import { codeOf } from '../errors.ts';
import type { AddressAnswer, Pool } from '../ipam/contract.ts';
import type { PluginModule } from '../plugin.ts';
import type { Attachment, Mount, Usage } from '../types/index.ts';
import { secretNames } from './check.ts';
import { type GraphAuthor, graph } from './graph.ts';
import { ipam } from './ipam.ts';
import { log } from './log.ts';
import type { About } from './manifest.ts';
import { type AuthoredEndpointPlan, type AuthoredNetworkPlan, network } from './network.ts';
import { objectSchema, type Properties } from './schema.ts';
import { runScript } from './script-process.ts';
import type { Tools } from './tools.ts';
import { volume } from './volume.ts';

export interface ScriptAuthor extends About<Properties, Properties> {
  readonly kind: 'volume' | 'graph' | 'network' | 'ipam' | 'log';
  /** The plugin's folder: `import.meta.dirname`. */
  readonly dir: string;
  /** The program in it; `./driver` unless given. */
  readonly command?: string;
  /** Until the program and all it started are killed; 30 s unless given. */
  readonly timeoutMs?: number;
  /** Optional methods that the program has: `usage`, `resize`, `clone`; of a graph driver also `changes`. */
  readonly features?: readonly string[];
}

/**
 * A driver in any language, as a program that is run once per call: `./driver METHOD` with the request as JSON on stdin answers JSON on
 * stdout, or `{"code","message","reason"}` on stderr and exit code 1. It is asked only for what is its own: the SDK keeps the records,
 * checks the options and answers list and stat. `not_implemented` for create, remove or detach means that there is nothing to do.
 *
 * For shells the request's texts, numbers and flags are in the environment too: GANTRY_NAME, GANTRY_READ_ONLY, GANTRY_OPTION_SIZE, …
 */
export function script(author: ScriptAuthor): PluginModule {
  return kinds[author.kind](author, callerFor(author));
}

type Call = <Answer>(method: string, request: object, tools: Tools) => Promise<Answer>;

const kinds: Readonly<Record<ScriptAuthor['kind'], (author: ScriptAuthor, call: Call) => PluginModule>> = {
  volume: (author, call) =>
    volume({
      ...author,
      create: (v, tools) => orNothing(call('create', v, tools)),
      remove: (v, tools) => orNothing(call('remove', v, tools)),
      attach: async (v, request, tools) => attachmentOf(await call('attach', { ...request, ...v }, tools)),
      detach: (v, request, tools) => orNothing(call('detach', { ...request, ...v }, tools)),
      ...has(author, 'usage', { usage: (v: object, tools: Tools) => call<Usage>('usage', v, tools) }),
      ...has(author, 'resize', { resize: (v: object, request: object, tools: Tools) => call<void>('resize', { ...request, ...v }, tools) }),
      ...has(author, 'clone', { clone: (v: object, request: object, tools: Tools) => call<void>('clone', { ...request, ...v }, tools) }),
    }),
  graph: ({ features = [], ...author }, call) =>
    graph({
      ...author,
      features: features.filter((feature) => feature === 'changes' || feature === 'quota'),
      prepare: (request, tools) => call<void>('prepare', request, tools),
      commit: (request, tools) => call<void>('commit', request, tools),
      remove: (request, tools) => call<void>('remove', request, tools),
      attach: async (request, tools) => attachmentOf(await call('attach', request, tools)),
      ...(features.includes('usage')
        ? ({ usage: (request, tools) => call<Usage>('usage', request, tools) } satisfies Partial<GraphAuthor<Properties>>)
        : {}),
    }),
  network: (author, call) =>
    network({
      ...author,
      createNetwork: (n, tools) => call<AuthoredNetworkPlan>('createNetwork', n, tools),
      removeNetwork: (n, tools) => orNothing(call('removeNetwork', n, tools)),
      attach: (n, endpoint, tools) => call<AuthoredEndpointPlan>('attach', { network: n, endpoint }, tools),
      detach: (n, request, tools) => orNothing(call('detach', { ...request, network: n }, tools)),
    }),
  ipam: (author, call) =>
    ipam({
      ...author,
      requestPool: (request, tools) => call<Pool>('requestPool', request, tools),
      releasePool: (request, tools) => call('releasePool', request, tools),
      requestAddress: (request, tools) => call<AddressAnswer>('requestAddress', request, tools),
      releaseAddress: (request, tools) => call('releaseAddress', request, tools),
    }),
  log: (author, call) =>
    log({
      ...author,
      write: ({ firstSeq, entries, droppedBefore }, stream) => {
        const { streamId, options, attributes, container } = stream;
        const told = entries.map(({ time, source, text, partial }) => ({ time, source, text, partial }));
        return call<void>('write', { streamId, options, attributes, container, firstSeq, droppedBefore, entries: told }, stream);
      },
    }),
};

function callerFor({ dir, command = './driver', timeoutMs = 30_000, options }: ScriptAuthor): Call {
  const secret = secretNames(objectSchema(options));
  return async <Answer>(method: string, request: object, { host, data, settings, signal }: Tools) => {
    const dataDir = data.path('.');
    const full = { ...request, settings, dataDir };
    const env = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      GANTRY_DATA_DIR: dataDir,
      GANTRY_RUN_DIR: host.runDir,
      ...variables(request, secret),
    };
    return (await runScript({ command: resolve(dir, command), method, request: full, env, cwd: dir, timeoutMs, signal })) as Answer;
  };
}

/** attachmentId → GANTRY_ATTACHMENT_ID, options.size → GANTRY_OPTION_SIZE. Secrets come on stdin only: whoever may look at a process sees its environment. */
function variables(request: object, secret: readonly string[]): Readonly<Record<string, string>> {
  const { options = {} } = request as { readonly options?: object };
  const shown = Object.fromEntries(Object.entries(options).filter(([name]) => !secret.includes(name)));
  const named = [...scalars(request, 'GANTRY_'), ...scalars(shown, 'GANTRY_OPTION_')];
  return Object.fromEntries(named);
}

function scalars(from: object, prefix: string): readonly (readonly [string, string])[] {
  return Object.entries(from).flatMap(([name, value]) => {
    if (!['string', 'number', 'boolean'].includes(typeof value)) return [];
    const key = name.replaceAll(/([a-z])([A-Z])/g, '$1_$2').replaceAll(/\W/g, '_');
    return [[`${prefix}${key.toUpperCase()}`, String(value)] as const];
  });
}

function has<T extends object>({ features = [] }: ScriptAuthor, feature: string, method: T): T | Partial<T> {
  return features.includes(feature) ? method : {};
}

async function orNothing(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (codeOf(error) !== 'not_implemented') throw error;
  }
}

/** `{"mounts": […]}`, or with the contract's words around it. */
function attachmentOf(answer: unknown): readonly Mount[] | Attachment {
  const { attachment = answer } = answer as { readonly attachment?: unknown };
  const { mounts, ...rest } = attachment as Partial<Attachment>;
  return { ...rest, mounts: mounts ?? [] };
}
