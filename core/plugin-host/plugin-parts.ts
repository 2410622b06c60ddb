import type { Generation } from './generation.ts';
import type { Link } from './link.ts';
import type { Plugin } from './plugin.ts';
import type { PluginPolicy } from './policy.ts';
import type { PluginRecord, Version } from './record.ts';

/** What a plugin's life needs of the host around it. */
export interface PluginParts {
  readonly policy: PluginPolicy;
  /** Runs one version; `number` tells its generation from all others. */
  readonly start: (plugin: Plugin, version: Version, number: number, signal: AbortSignal) => Promise<Link>;
  readonly onEvent: (plugin: Plugin, action: string, attributes?: Readonly<Record<string, string>>) => void;
  /** After a generation became ready that is not the first of this engine: what was left open with the one before. */
  readonly onReady: (plugin: Plugin, generation: Generation) => void;
  /** The probation after an upgrade was not passed. */
  readonly onProbationFailed: (plugin: Plugin, reason: string) => void;
}

export interface Swap {
  readonly settings: PluginRecord['settings'];
  readonly secrets: PluginRecord['secrets'];
  readonly isExclusive: boolean;
  /** Throws what keeps the new generation from serving. */
  readonly prove: (next: Generation) => Promise<void>;
  /** Records the switch: after it, the new version is the one that the next engine starts. */
  readonly commit: () => Promise<void> | void;
}
