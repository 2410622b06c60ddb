import type { Generation } from './generation.ts';
import type { Link } from '../placements/link.ts';
import type { Plugin } from './plugin.ts';
import type { PluginPolicy } from './policy.ts';
import type { PluginRecord, Version } from '../record.ts';

/** What a plugin's life needs of the host around it. */
export interface PluginParts {
  readonly policy: PluginPolicy;
  /** Runs one version; `number` tells its generation from all others. */
  readonly start: (plugin: Plugin, version: Version, number: number, signal: AbortSignal) => Promise<Link>;
  readonly onEvent: (plugin: Plugin, action: string, attributes?: Readonly<Record<string, string>>) => void;
  /** What it does is about to begin: of a plugin that could take the engine along it is written down, until disposed of. */
  readonly onCall: (plugin: Plugin, call: string) => Disposable | undefined;
  /** After a generation became ready: what was left open with the one before, or with another engine. */
  readonly onReady: (plugin: Plugin, generation: Generation) => void;
  /** The probation after an upgrade was passed, and was not. */
  readonly onProbationPassed: (plugin: Plugin) => void;
  readonly onProbationFailed: (plugin: Plugin, reason: string) => void;
  /** It has been close to its memory's limit for long. */
  readonly onFull: (plugin: Plugin, reason: string) => void;
}

export interface Swap {
  readonly settings: PluginRecord['settings'];
  readonly secrets: PluginRecord['secrets'];
  readonly isExclusive: boolean;
  /** Before the new generation is started; of an exclusive switch after the old one has ended. */
  readonly prepare?: () => void;
  /** An exclusive switch did not come to its end: before the old version is started again. */
  readonly giveUp?: () => void;
  /** Throws what keeps the new generation from serving. */
  readonly prove: (next: Generation) => Promise<void>;
  /** Records the switch: after it, the new version is the one that the next engine starts. */
  readonly commit: () => Promise<void> | void;
}
