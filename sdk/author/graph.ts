import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { alreadyExists, conflict, invalidArgument, notFound } from '../errors.ts';
import type {
  AttachRequest,
  AttachResponse,
  CommitRequest,
  CommitResponse,
  DetachRequest,
  GraphDriver,
  PrepareRequest,
  PrepareResponse,
  RemoveRequest,
  ResizeRequest,
  Snapshot,
  UsageRequest,
} from '../graph/contract.ts';
import { Family } from '../graph/family.ts';
import { definePlugin, type HostContext, type PluginModule, type Ref, type RefState } from '../plugin.ts';
import type { Attachment, Ctx, Mount, Usage } from '../types/index.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { type About, featuresOf, manifestOf } from './manifest.ts';
import { Records } from './records.ts';
import type { NoProperties, Properties, PropertiesOf } from './schema.ts';
import { Toolbox, type Tools } from './tools.ts';

type Awaitable<T> = T | Promise<T>;

export interface GraphAuthor<S extends Properties> extends Omit<About<NoProperties, S>, 'options'> {
  /** `changes`: `attach` understands the view of that name. */
  readonly features?: readonly ('changes' | 'quota')[];
  /** Makes an empty writable snapshot. Half-made ones are removed with `remove`. */
  prepare(request: PrepareRequest, tools: Tools<PropertiesOf<S>>): Awaitable<PrepareResponse | void>;
  /** Renames `key` to `name`, atomically; called again after a crash, when it may have happened. */
  commit(request: CommitRequest, tools: Tools<PropertiesOf<S>>): Awaitable<CommitResponse | void>;
  remove(request: RemoveRequest, tools: Tools<PropertiesOf<S>>): Awaitable<void>;
  /** Describes the mounts. It is asked only for snapshots that are there, with parents that are there. */
  attach(request: AttachRequest, tools: Tools<PropertiesOf<S>>): Awaitable<readonly Mount[] | Attachment>;
  /** Keys of everything on disk; without it, what was recorded. */
  list?(request: Record<string, never>, tools: Tools<PropertiesOf<S>>): Awaitable<readonly string[]>;
  detach?(request: DetachRequest, tools: Tools<PropertiesOf<S>>): Awaitable<void>;
  readonly usage?: (request: UsageRequest, tools: Tools<PropertiesOf<S>>) => Awaitable<Usage>;
  readonly resize?: (request: ResizeRequest, tools: Tools<PropertiesOf<S>>) => Awaitable<void>;
  readonly status?: (tools: Tools<PropertiesOf<S>>) => Awaitable<readonly (readonly [string, string])[]>;
  readonly probe?: (tools: Tools<PropertiesOf<S>>) => Awaitable<{ readonly usable: boolean; readonly reason?: string }>;
}

/**
 * A plugin with one graph driver. The SDK records chains and which snapshots are committed, checks keys, recognises repeated requests
 * and refuses to remove what is mounted; the author makes, renames, deletes and describes.
 */
export function graph<const S extends Properties = NoProperties>(author: GraphAuthor<S>): PluginModule {
  const features = [...(author.features ?? []), ...featuresOf(author, ['usage', 'status', 'probe'])];
  return definePlugin({
    manifest: manifestOf('graph', author, features),
    async activate(host) {
      const toolbox = new Toolbox(host, author.settings);
      const driver = authoredDriver(author, toolbox, host);
      return {
        drivers: { graph: { [author.name]: driver } },
        reconcile: (refs) => reconciled(refs, author.name, driver, { signal: host.signal, log: host.log, operationId: 'reconcile' }),
        configure: async (config, secrets) => toolbox.configure(config, secrets),
        selfTest: async () => [toolbox.check()],
      };
    },
  });
}

interface SnapshotRecord {
  readonly chain: readonly string[];
  readonly committed: boolean;
  readonly ready: boolean;
}

function authoredDriver<S extends Properties>(author: GraphAuthor<S>, toolbox: Toolbox<S>, { state, dataDir }: HostContext): GraphDriver {
  const records = new Records<SnapshotRecord>(state, 'snapshot/');
  const queue = new KeyedQueue();
  /** Who attached what for writing. */
  const writers = new Map<string, string>();
  let family: Promise<Family> | undefined;
  /** Read when the first is removed, told of changes from then on. */
  const relations = (): Promise<Family> => (family ??= familyOf(records));
  const tell = async (change: (known: Family) => void): Promise<void> => {
    if (family !== undefined) change(await family);
  };
  const recorded = async (key: string): Promise<SnapshotRecord> => {
    const record = await records.get(checkedKey(key));
    if (record === undefined) throw notFound(`snapshot ${key} does not exist`, { reason: 'SNAPSHOT_NOT_FOUND' });
    return record;
  };
  const parentsOf = async (key: string, chain: readonly string[]): Promise<void> => {
    for (const parent of chain) {
      if ((await records.get(checkedKey(parent))) === undefined)
        throw notFound(`parent ${parent} of snapshot ${key} does not exist`, { reason: 'PARENT_NOT_FOUND' });
    }
  };
  return {
    features: author.features ?? [],
    prepare: async (request, ctx) => {
      const { key, chain } = request;
      checkedKey(key);
      return queue.run(key, ctx.signal, async () => {
        const old = await records.get(key);
        if (old !== undefined && !isDeepStrictEqual(old.chain, chain))
          throw alreadyExists(`snapshot ${key} exists with other parents`, { reason: 'SNAPSHOT_EXISTS' });
        if (old !== undefined) return { ready: old.ready };
        await parentsOf(key, chain);
        const { ready } = (await author.prepare(request, toolbox.for(ctx))) ?? { ready: false };
        // A snapshot that a power cut takes from the records is listed as not committed, and the engine removes it.
        await records.update(key, () => ({ chain, committed: false, ready }), { relaxed: true });
        await tell((known) => known.add(key, chain[0]));
        return { ready };
      });
    },
    commit: async (request, ctx) => {
      const { key, name, chain } = request;
      checkedKey(name);
      return queue.run(checkedKey(key), ctx.signal, async () => {
        const [old, taken] = [await records.get(key), key === name ? undefined : await records.get(name)];
        if (old === undefined && taken?.committed === true) return {};
        if (old === undefined) throw notFound(`snapshot ${key} does not exist`, { reason: 'SNAPSHOT_NOT_FOUND' });
        if (taken !== undefined) throw alreadyExists(`snapshot ${name} exists already`, { reason: 'SNAPSHOT_EXISTS' });
        if (old.committed && key === name) return {};
        const answer = (await author.commit(request, toolbox.for(ctx))) ?? {};
        await records.move(key, name, { chain, committed: true, ready: old.ready });
        await tell((known) => {
          known.remove(key);
          known.add(name, chain[0]);
        });
        return answer;
      });
    },
    remove: async ({ key }, ctx) =>
      queue.run(checkedKey(key), ctx.signal, async () => {
        if (isMounted(join(dataDir, key))) throw conflict(`snapshot ${key} is mounted`, { reason: 'SNAPSHOT_BUSY' });
        const [child] = (await relations()).childrenOf(key);
        if (child !== undefined) throw conflict(`snapshot ${key} is the parent of ${child}`, { reason: 'SNAPSHOT_BUSY' });
        await author.remove({ key }, toolbox.for(ctx));
        (await relations()).remove(key);
        await records.update(key, () => undefined);
      }),
    attach: async (request, ctx): Promise<AttachResponse> => {
      const { key, chain, readOnly, attachmentId } = request;
      const record = await recorded(key);
      if (record.committed && !readOnly)
        throw conflict(`snapshot ${key} is committed: it can only be attached read-only`, { reason: 'SNAPSHOT_COMMITTED' });
      await parentsOf(key, chain);
      const writer = writers.get(key);
      if (!readOnly && writer !== undefined && writer !== attachmentId && isMounted(join(dataDir, key)))
        throw conflict(`snapshot ${key} is attached for writing already, by ${writer}`, { reason: 'SNAPSHOT_BUSY' });
      const answer = await author.attach(request, toolbox.for(ctx));
      if (!readOnly) writers.set(key, attachmentId);
      return { attachment: 'mounts' in answer ? answer : { mounts: answer, shareable: readOnly } };
    },
    detach: async (request, ctx) => {
      await author.detach?.(request, toolbox.for(ctx));
      if (writers.get(request.key) === request.attachmentId) writers.delete(request.key);
    },
    list: async function* (request, ctx): AsyncGenerator<Snapshot> {
      const known = new Map((await records.list()).map(({ id, value }) => [id, value.committed]));
      const keys = (await author.list?.(request, toolbox.for(ctx))) ?? [...known.keys()];
      for (const key of keys) yield { key, committed: known.get(key) ?? false };
    },
    ...optional(author, toolbox, recorded),
  };
}

async function familyOf(records: Records<SnapshotRecord>): Promise<Family> {
  const family = new Family();
  for (const { id, value } of await records.list()) family.add(id, value.chain[0]);
  return family;
}

/** What is there, against what the engine believes. */
async function* reconciled(refs: AsyncIterable<Ref>, name: string, driver: GraphDriver, ctx: Ctx): AsyncGenerator<RefState> {
  const left = new Set((await Array.fromAsync(driver.list({}, ctx))).map(({ key }) => key));
  for await (const ref of refs) {
    if (ref.contract !== 'graph' || ref.driver !== name || ref.kind !== 'snapshot') continue;
    const isThere = left.delete(ref.id);
    yield { ref, state: isThere ? 'ok' : 'missing', detail: isThere ? '' : `snapshot ${ref.id} is not on the disk` };
  }
  for (const id of left) {
    yield { ref: { contract: 'graph', driver: name, kind: 'snapshot', id }, state: 'orphan', detail: 'the engine does not know it' };
  }
}

function optional<S extends Properties>(
  author: GraphAuthor<S>,
  toolbox: Toolbox<S>,
  recorded: (key: string) => Promise<SnapshotRecord>,
): Pick<GraphDriver, 'usage' | 'resize' | 'status' | 'probe'> {
  const { usage, resize, status, probe } = author;
  const tools = (ctx: Ctx) => toolbox.for(ctx);
  return {
    ...(usage && { usage: async (request, ctx) => (await recorded(request.key), usage(request, tools(ctx))) }),
    ...(resize && { resize: async (request, ctx) => (await recorded(request.key), resize(request, tools(ctx))) }),
    ...(status && { status: async (_, ctx) => ({ status: (await status(tools(ctx))).map(([label, value]) => ({ label, value })) }) }),
    ...(probe && { probe: async (_, ctx) => probe(tools(ctx)) }),
  };
}

function checkedKey(key: string): string {
  if (/^[a-z0-9._-]{1,64}$/.test(key) && key !== '.' && key !== '..') return key;
  throw invalidArgument(`snapshot key ${JSON.stringify(key.slice(0, 100))}; allowed are 1 to 64 of a-z 0-9 . _ -`, {
    reason: 'KEY_INVALID',
  });
}

/** A bind mount tells the folder from its own disk's root on, an overlay tells the paths it was given: both end alike. */
function isMounted(path: string): boolean {
  const part = `/${basename(dirname(path))}/${basename(path)}/`;
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(part);
}
