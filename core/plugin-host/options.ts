import type { DriverKind, Logger } from '@gantry/sdk';
import type { EventBus } from '../events/index.ts';
import type { Database } from '../metadata/index.ts';
import type { InstallTools } from '../plugin-install/index.ts';
import type { PluginPolicy } from './policy.ts';

export interface PluginHostOptions {
  readonly database: Database;
  readonly events: EventBus;
  readonly log: Logger;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly version: string;
  /** Folders with plugins; the first ones are the engine's own. */
  readonly pluginDirs: readonly string[];
  readonly ownPlugins: string;
  /** Settings by plugin name; they win over what users set by commands. */
  readonly pluginSettings?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /** Where plugins run, by name or contract ("graph"), for those whose manifest allows it. */
  readonly pluginPlacement?: Readonly<Record<string, 'in-process' | 'worker' | 'process'>> | undefined;
  /** Settings for every plugin that provides a driver of this kind; those by the plugin's name win. */
  readonly kindSettings?: { readonly [Kind in DriverKind]?: Readonly<Record<string, unknown>> };
  readonly policy?: Partial<PluginPolicy> | undefined;
  readonly cgroupParent?: string | undefined;
  /** What installing needs of rooms that come later. */
  readonly installTools: () => InstallTools;
}
