// Made by `npm run generate` of proto/gantry/graph/v1: change it there.
import type { Attachment, ContractMethods, Ctx, IdMap, Usage } from '../types/index.ts';

export interface PrepareRequest {
  /** [a-z0-9._-]{1,64}, unique for ever. */
  readonly key: string;
  readonly chain: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Feature `quota`; 0 or absent means no limit. The driver limits the snapshot itself, or says `quota_bytes` in the mounts that it describes. */
  readonly quotaBytes?: number;
  readonly uidMap?: readonly IdMap[];
  readonly gidMap?: readonly IdMap[];
}

export interface PrepareResponse {
  /** The content is already there (a remote snapshotter); the engine skips unpacking. */
  readonly ready: boolean;
}

export interface CommitRequest {
  readonly key: string;
  /** The committed snapshot's key from now on; equal to `key` or new. Atomic: after a crash either the old or the new name exists, whole. */
  readonly name: string;
  readonly chain: readonly string[];
}

export interface CommitResponse {
  readonly usage?: Usage;
}

export interface RemoveRequest {
  readonly key: string;
  /**
   * What lies on it stays: the snapshot was found damaged and is prepared, filled and committed again under the same key before anything of it is attached.
   * A driver whose children share what is deleted refuses with `conflict`.
   */
  readonly keepChildren?: boolean;
}

export interface AttachRequest {
  readonly key: string;
  readonly attachmentId: string;
  readonly chain: readonly string[];
  readonly readOnly: boolean;
  readonly view: 'merged' | 'changes';
  /** What is written need not survive a power cut: the engine syncs what it keeps, or throws it away. The driver may describe mounts that skip syncing. */
  readonly ephemeral?: boolean;
}

export interface AttachResponse {
  readonly attachment: Attachment;
}

export interface DetachRequest {
  readonly key: string;
  readonly attachmentId: string;
  readonly context?: Readonly<Record<string, string>>;
}

export interface Snapshot {
  readonly key: string;
  readonly committed: boolean;
}

export interface UsageRequest {
  readonly key: string;
  readonly chain: readonly string[];
}

export interface ResizeRequest {
  readonly key: string;
  readonly quotaBytes: number;
}

export interface StatusResponse {
  readonly status: readonly Fact[];
}

export interface Fact {
  readonly label: string;
  readonly value: string;
}

export interface ProbeResponse {
  readonly usable: boolean;
  readonly reason?: string;
}

export interface GraphDriver {
  /** What the driver can do beyond the required methods. */
  readonly features: readonly ('changes' | 'quota')[];
  /** Makes an empty writable snapshot on top of `chain`. */
  prepare(request: PrepareRequest, ctx: Ctx): Promise<PrepareResponse>;
  /** Freezes a prepared snapshot under `name`. The engine has synced its files (syncfs) before. */
  commit(request: CommitRequest, ctx: Ctx): Promise<CommitResponse>;
  /**
   * Deletes a snapshot of either state; its space may be given back later. Fails with `conflict` while the kernel still shows it mounted, or another
   * snapshot lies directly on it.
   */
  remove(request: RemoveRequest, ctx: Ctx): Promise<void>;
  /** Describes the mounts that show the snapshot; changes nothing on disk that a second attach would notice. */
  attach(request: AttachRequest, ctx: Ctx): Promise<AttachResponse>;
  /** Called after the engine unmounted; usually nothing to do. */
  detach(request: DetachRequest, ctx: Ctx): Promise<void>;
  /** Everything on disk, for reconciling after a crash. */
  list(request: Record<string, never>, ctx: Ctx): AsyncIterable<Snapshot>;
  /** Bytes and inodes that this snapshot alone takes. */
  usage?(request: UsageRequest, ctx: Ctx): Promise<Usage>;
  /** Another limit, 0 for none, for a prepared snapshot; one that the engine sets counts from the next attach on. */
  resize?(request: ResizeRequest, ctx: Ctx): Promise<void>;
  /** Facts for `docker info`'s Storage Driver lines, e.g. "Backing Filesystem": "extfs". */
  status?(request: Record<string, never>, ctx: Ctx): Promise<StatusResponse>;
  /** Whether the driver can work on this host, tried for real; the reason when it cannot. */
  probe?(request: Record<string, never>, ctx: Ctx): Promise<ProbeResponse>;
}

export const graphMethods = {
  prepare: { deadline: 'long', key: 'key' },
  commit: { deadline: 'long', key: 'key' },
  remove: { deadline: 'long', key: 'key' },
  attach: { deadline: 'normal', key: 'key' },
  detach: { deadline: 'normal', key: 'key' },
  list: { deadline: 'stream', answer: 'stream' },
  usage: { deadline: 'long', feature: 'usage' },
  resize: { deadline: 'normal', feature: 'quota', key: 'key' },
  status: { deadline: 'fast', feature: 'status' },
  probe: { deadline: 'normal', feature: 'probe' },
} as const satisfies Omit<ContractMethods<GraphDriver>, 'features'>;
