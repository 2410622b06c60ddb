import type { PathStat } from '@gantry/sdk/engine';
import type { ErrorFacts, ErrorCode } from '@gantry/sdk';
import type { IdMaps } from '@gantry/sdk/linux';
import type { Choice } from '../copy/choose.ts';
import type { ComposeJob, CopySource } from '../copy/compose.ts';
import type { SharedNodes } from '../copy/node-memory.ts';
import type { Fingerprint } from './fingerprint.ts';
import type { UnpackRules } from './unpack-rules.ts';

/** What a worker can do. Descriptors are those of the process, which threads share; the asker opens and closes them. */
export interface Jobs {
  /** Unpacks a whole layer file. */
  readonly apply: {
    readonly job: { readonly root: string; readonly fd: number; readonly whiteouts: 'overlay' | 'plain'; readonly isDiffIdKnown: boolean };
    /** `implied`: folders that were made without being named, where the tree is apart from the layers below. */
    readonly result: { readonly diffId: string; readonly sizeBytes: number; readonly implied: readonly string[] };
  };
  /** Gives folders of one tree what they have in another; false: one is a symlink there, and nothing was changed. */
  readonly inherit: {
    readonly job: { readonly root: string; readonly lower: string; readonly folders: readonly string[] };
    readonly result: boolean;
  };
  /** Unpacks a stream that the asker sends. */
  readonly unpack: {
    readonly job: { readonly root: string; readonly path: string; readonly rules: UnpackRules };
    readonly result: Record<string, never>;
  };
  /** Sends a tar of a tree. */
  readonly pack: {
    readonly job: { readonly root: string; readonly path: string; readonly rebase?: string; readonly idMaps?: IdMaps | undefined };
    readonly result: Record<string, never>;
  };
  /** Writes a tar of what a snapshot changed into an open file. */
  readonly diff: {
    readonly job: {
      readonly comparison: Comparison;
      readonly fd: number;
      readonly latestSeconds?: number | undefined;
      /** Places that were made for mounts: they are no change while they hold nothing. */
      readonly mountPoints?: readonly string[] | undefined;
    };
    readonly result: { readonly digest: string; readonly tarBytes: number; readonly sizeBytes: number };
  };
  /** Packed: see change-list.ts. */
  readonly changes: { readonly job: { readonly comparison: Comparison }; readonly result: string };
  readonly size: { readonly job: { readonly comparison: Comparison }; readonly result: number };
  readonly stat: { readonly job: { readonly root: string; readonly path: string }; readonly result: PathStat };
  /** Copies a folder of one tree into another tree if that is empty; its own owner and mode too, unless the other root keeps its. */
  readonly copyUp: {
    readonly job: {
      readonly root: string;
      readonly path: string;
      readonly target: string;
      readonly spoolFd: number;
      readonly keepsRoot: boolean;
    };
    readonly result: Record<string, never>;
  };
  /** Writes a stream, plain, into a new file in the ingest folder. */
  readonly ingest: {
    readonly job: { readonly path: string };
    readonly result: { readonly path: string; readonly digest: string; readonly sizeBytes: number };
  };
  /** Reads a whole tree: a digest of each thing in it. */
  readonly fingerprint: { readonly job: { readonly root: string }; readonly result: Fingerprint };
  /** Reads a stream that is an archive: contents into the file, the rest is the answer. */
  readonly index: { readonly job: { readonly fd: number }; readonly result: SharedNodes };
  /** Writes the tar of a layer that copies make over a tree into an open file. */
  readonly compose: {
    readonly job: ComposeJob;
    readonly result: { readonly digest: string; readonly tarBytes: number };
  };
  /** What stands for things of a tree. */
  readonly choose: {
    readonly job: { readonly source: CopySource; readonly choice: Choice; readonly keepsOwners: boolean };
    readonly result: string;
  };
  /** What stands for the folders and links that lead to a path. */
  readonly way: { readonly job: { readonly root: string; readonly path: string }; readonly result: string };
  /** Makes the stub files of an init layer. */
  readonly init: { readonly job: { readonly root: string }; readonly result: Record<string, never> };
  /** Deletes what is at a path, whole; `conflict` before anything is deleted when something is mounted in it. */
  readonly remove: { readonly job: { readonly root: string; readonly path: string }; readonly result: Record<string, never> };
  /** Writes the file system of an open file to its disk. */
  readonly sync: { readonly job: { readonly fd: number }; readonly result: Record<string, never> };
}

/** What changed: the upper tree of an overlay over those below, or a whole tree against another. */
export interface Comparison {
  readonly kind: 'overlay' | 'trees';
  readonly upper: string;
  /** Trees that show what was there before, the nearest first; one where it is shown whole, none where nothing was. */
  readonly lower: readonly string[];
}

export type JobName = keyof Jobs;
export type JobOf<Name extends JobName> = Jobs[Name]['job'];
export type ResultOf<Name extends JobName> = Jobs[Name]['result'];

export type ToWorker =
  | {
      readonly kind: 'job';
      readonly id: number;
      readonly name: JobName;
      readonly job: Jobs[JobName]['job'];
      readonly control: SharedArrayBuffer;
    }
  | { readonly kind: 'input'; readonly id: number; readonly chunk: Uint8Array | undefined };

export type FromWorker =
  | { readonly kind: 'output'; readonly chunk: Uint8Array }
  | { readonly kind: 'taken' }
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly facts: ErrorFacts; readonly errno?: string };

/** Cells of a job's shared memory: set to 1 to stop it; how many outputs were taken; what changes as long as it gets on. */
export const controlCells = { stop: 0, taken: 1, beats: 2 } as const;
export const controlBytes = 12;
/** Outputs in flight, and inputs in flight. */
export const window = 4;
