import { isDeepStrictEqual } from 'node:util';
import { alreadyExists, conflict, invalidArgument, notFound } from '../errors.ts';
import type { AttachRequest, CommitRequest, GraphDriver, PrepareRequest, RemoveRequest, Snapshot } from '../graph/contract.ts';
import type { Attachment } from '../types/index.ts';

interface Stored {
  readonly chain: readonly string[];
  readonly committed: boolean;
}

/** A graph driver whose snapshots are names: it describes each as an empty tmpfs, for tests in which nobody looks inside. */
export class MemoryGraphDriver implements GraphDriver {
  readonly features = [] as const;
  readonly #snapshots: Map<string, Stored>;
  /** Attachment ids by snapshot. */
  readonly attached = new Map<string, Set<string>>();
  readonly #writers = new Map<string, string>();

  /** Over the same map it finds what another one left, as after a restart. */
  constructor(snapshots: Map<string, Stored> = new Map()) {
    this.#snapshots = snapshots;
  }

  async prepare({ key, chain }: PrepareRequest): Promise<{ readonly ready: boolean }> {
    checkKey(key);
    const known = this.#snapshots.get(key);
    if (known !== undefined && !isDeepStrictEqual(known.chain, chain))
      throw alreadyExists(`snapshot ${key} exists with other parents`, { reason: 'SNAPSHOT_EXISTS' });
    for (const parent of chain) this.#require(parent);
    if (known === undefined) this.#snapshots.set(key, { chain, committed: false });
    return { ready: false };
  }

  async commit({ key, name, chain }: CommitRequest): Promise<Record<string, never>> {
    const [known, taken] = [this.#snapshots.get(key), this.#snapshots.get(name)];
    if (known === undefined && taken?.committed === true) return {};
    this.#require(key);
    if (key !== name && taken !== undefined) throw alreadyExists(`snapshot ${name} exists already`, { reason: 'SNAPSHOT_EXISTS' });
    this.#snapshots.delete(key);
    this.#snapshots.set(name, { chain, committed: true });
    return {};
  }

  async remove({ key, keepChildren = false }: RemoveRequest): Promise<void> {
    if ((this.attached.get(key)?.size ?? 0) > 0) throw conflict(`snapshot ${key} is attached`, { reason: 'SNAPSHOT_BUSY' });
    const [child] = [...this.#snapshots].find(([, { chain }]) => chain[0] === key) ?? [];
    if (child !== undefined && !keepChildren) throw conflict(`snapshot ${key} is the parent of ${child}`, { reason: 'SNAPSHOT_BUSY' });
    this.#snapshots.delete(key);
  }

  async attach({ key, chain, readOnly, attachmentId }: AttachRequest): Promise<{ readonly attachment: Attachment }> {
    const { committed } = this.#require(key);
    if (committed && !readOnly)
      throw conflict(`snapshot ${key} is committed: it can only be attached read-only`, { reason: 'SNAPSHOT_COMMITTED' });
    for (const parent of chain) this.#require(parent);
    const writer = this.#writers.get(key);
    if (!readOnly && writer !== undefined && writer !== attachmentId)
      throw conflict(`snapshot ${key} is attached for writing already, by ${writer}`, { reason: 'SNAPSHOT_BUSY' });
    if (!readOnly) this.#writers.set(key, attachmentId);
    this.attached.set(key, (this.attached.get(key) ?? new Set()).add(attachmentId));
    return { attachment: { mounts: [{ type: 'tmpfs', source: { opaque: key }, readOnly }], shareable: readOnly } };
  }

  async detach({ key, attachmentId }: { readonly key: string; readonly attachmentId: string }): Promise<void> {
    this.attached.get(key)?.delete(attachmentId);
    if (this.#writers.get(key) === attachmentId) this.#writers.delete(key);
  }

  async *list(): AsyncGenerator<Snapshot> {
    for (const [key, { committed }] of this.#snapshots) yield { key, committed };
  }

  #require(key: string): Stored {
    const found = this.#snapshots.get(key);
    if (found === undefined) throw notFound(`snapshot ${key} does not exist`, { reason: 'SNAPSHOT_NOT_FOUND' });
    return found;
  }
}

function checkKey(key: string): void {
  if (!/^[a-z0-9._-]{1,64}$/.test(key) || key === '.' || key === '..')
    throw invalidArgument(`snapshot key ${JSON.stringify(key.slice(0, 100))}`, { reason: 'KEY_INVALID' });
}
