/** Builds that run and that ran: what they were asked, what they told, how they ended. */
import type { Abortable } from '../types/index.ts';
import type { BuildEvent, BuildOptions } from './builds.ts';

export interface BuildRecord
  extends Pick<BuildOptions, 'dockerfile' | 'tags' | 'buildArgs' | 'labels' | 'target' | 'platform' | 'cacheFrom'> {
  readonly id: string;
  readonly status: 'running' | 'completed' | 'error' | 'canceled';
  readonly startedMs: number;
  /** Absent while it runs. */
  readonly endedMs?: number;
  /** Address of the context; '' what the client sent. */
  readonly remote: string;
  /** Of the steps that were needed, how many there were, ended, and came out of the cache. */
  readonly steps: { readonly total: number; readonly completed: number; readonly cached: number };
  readonly warnings: number;
  /** '' unless it was completed. */
  readonly imageId: string;
  /** What was wrong, with its line. */
  readonly error?: { readonly code: string; readonly message: string };
  /** It stays until somebody removes it. */
  readonly isKept: boolean;
  /** What the client said of the build, in its own words. */
  readonly attributes: Readonly<Record<string, string>>;
}
export interface TimedBuildEvent {
  readonly atMs: number;
  readonly event: BuildEvent;
}
export interface BuildRecordChange {
  readonly kind: 'started' | 'ended' | 'removed' | 'changed';
  readonly record: BuildRecord;
}

/**
 * Of builds that are over the last 50 are known, for 48 hours, and those that somebody keeps; of what one told, all steps and the last mebibyte
 * of their output. What ended within the last second before a crash may be missing.
 */
export interface BuildHistory {
  /** The latest first. */
  list(): readonly BuildRecord[];
  /** By its id, or a beginning of it that no other has; `not_found`. */
  inspect(id: string): BuildRecord;
  /** What it told. Of one that runs, also what is still to come, until it ends. Progress of downloads is left out. */
  events(id: string, options?: Abortable): AsyncIterable<TimedBuildEvent>;
  /** Keeps it for longer than others, or no longer. `exhausted` when too many are kept. */
  keep(id: string, isKept: boolean): void;
  /** `conflict` while it runs. Its image stays. */
  remove(id: string): void;
  /** Tells changes until the answer is called. */
  listen(listener: (change: BuildRecordChange) => void): () => void;
}
