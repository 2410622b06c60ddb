import { createHash } from 'node:crypto';
import type { Manifest, StateEntry } from '@gantry/sdk';
import type { Placement, Privilege } from '@gantry/sdk/engine';

/** One version of a plugin's code, as it lies on the disk. */
export interface Version {
  readonly dir: string;
  readonly manifest: Manifest;
  readonly source: string;
  readonly digest: string;
  readonly dockerConfig?: unknown;
}
/** What users decided about a plugin; nothing that happens to it. Stored as it is. */
export interface PluginRecord extends Version {
  readonly id: string;
  readonly name: string;
  readonly builtIn: boolean;
  /** By a command, and so stored whole; else found in a folder at each start. */
  readonly isInstalled: boolean;
  readonly enabled: boolean;
  readonly placement: Placement;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
  /** What the user agreed to, of this version. */
  readonly privileges: readonly Privilege[];
  /** The user and group of its process on this machine, its own; not used while its manifest asks for user 0. */
  readonly uid: number;
  /** Of an external plugin. */
  readonly address?: string;
  readonly token?: string;
  /** Why it runs there, when the engine chose it. */
  readonly placementReason?: string;
  /** Orphans are deleted by themselves. */
  readonly collectsOrphans?: boolean;
  /** Of before an upgrade that is under way and may write it anew in its own format: put back unless that comes to its end. */
  readonly stateBefore?: readonly StateEntry[];
  /** An upgrade that has not proven itself yet, also to the next engine. */
  readonly isOnProbation?: boolean;
  /** What `rollback` brings back; `state` when the new version's format is another. */
  readonly previous?: Version & {
    readonly privileges: readonly Privilege[];
    readonly settings: Readonly<Record<string, unknown>>;
    readonly state?: readonly StateEntry[];
  };
}

/** Asked of the version that starts: one that asks for less than the one before runs with less. */
export function userOf({ uid }: Pick<PluginRecord, 'uid'>, { manifest: { privileges } }: Pick<Version, 'manifest'>): number {
  return privileges?.user === 'root' || privileges?.unconfined === true ? 0 : uid;
}

/** The part of a record that is stored for a plugin that is found in a folder at each start. */
export type Decisions = Pick<
  PluginRecord,
  'enabled' | 'placement' | 'settings' | 'secrets' | 'uid' | 'collectsOrphans' | 'placementReason'
>;

/** 64 hex digits that a plugin found in a folder has at each start. */
export function idOfName(name: string): string {
  return createHash('sha256').update(`plugin ${name}`).digest('hex');
}
