import type { Attachment, Ctx } from '../types/index.ts';
import type { GraphDriver } from './contract.ts';

/** An attachment that the kit's host mounted. */
export interface MountedSnapshot extends AsyncDisposable {
  readonly path: string;
}

export interface SnapshotRef {
  readonly key: string;
  readonly chain: readonly string[];
}

/** What the engine does with layer tars, over the driver under test: nothing of it is the driver's own work, all of it stands on what it describes. */
export interface LayerWork {
  /** Fills a prepared snapshot, in the view `changes` where the driver has it. Rejects with `invalid_argument` for a tar that is not `diffId`; abort stops it half way. */
  apply(snapshot: SnapshotRef, tar: Uint8Array, options?: { readonly diffId?: string; readonly signal?: AbortSignal }): Promise<void>;
  /** A tar of what a snapshot changed over its parents. */
  diff(snapshot: SnapshotRef): Promise<Buffer>;
  changes(snapshot: SnapshotRef): Promise<readonly { readonly path: string; readonly kind: 'added' | 'modified' | 'deleted' }[]>;
}

/**
 * A driver under test over an empty data folder, and what can be done with it here. `restart` opens it again on the same folder. What is
 * absent leaves cases out, by name.
 */
export interface GraphUnderTest {
  readonly driver: GraphDriver;
  readonly ctx: Ctx;
  readonly dataDir: string;
  readonly restart: () => Promise<GraphDriver>;
  readonly mount?: (attachment: Attachment) => Promise<MountedSnapshot>;
  /** SIGKILL for the process that it runs in, which is not this one. */
  readonly kill?: () => void;
  /** The disk below `dataDir` loses its power and gets it back; answers the driver opened again. */
  readonly cutPower?: () => Promise<GraphDriver>;
  readonly layers?: LayerWork;
  /** Why project quotas that a driver describes cannot be set below `dataDir`. */
  readonly noProjectQuota?: string;
  /** What all snapshots take, where the driver keeps them elsewhere than in files below `dataDir`. */
  readonly usedBytes?: () => number;
}

export interface GraphCase {
  readonly name: string;
  /** Why the case makes no sense for this driver; undefined: run it. */
  readonly skip: (subject: GraphUnderTest) => string | undefined;
  /** Answers why it was left after all, when only a try could tell. */
  readonly run: (subject: GraphUnderTest) => Promise<string | void>;
}

export type Run = GraphCase['run'];
export type Skip = GraphCase['skip'];

export function cases(runs: Readonly<Record<string, Run>>, skip: Skip = cannotMount): readonly GraphCase[] {
  return Object.entries(runs).map(([name, run]) => ({ name, skip, run }));
}

export function cannotMount({ mount }: GraphUnderTest): string | undefined {
  return mount === undefined ? 'nothing is mounted here' : undefined;
}
