import { type DriverKind, type Logger, notImplemented } from '@gantry/sdk';
import { EventBus } from '../events/index.ts';
import type { Database } from '../metadata/index.ts';
import type { InstallTools } from '../plugin-install/index.ts';
import type { PluginPolicy } from './life/policy.ts';

export interface PluginHostOptions {
  readonly database: Database;
  readonly log: Logger;
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Folders with plugins; the first one is the engine's own. */
  readonly pluginDirs: readonly string[];
  readonly events?: EventBus;
  /** The engine's, told to plugins. */
  readonly version?: string;
  /** Settings by plugin name; they win over what users set by commands. */
  readonly pluginSettings?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /** Where plugins run, by name or contract ("graph"), for those whose manifest allows it. */
  readonly pluginPlacement?: Readonly<Record<string, 'in-process' | 'worker' | 'process'>> | undefined;
  /** Settings for every plugin that provides a driver of this kind; those by the plugin's name win. */
  readonly kindSettings?: { readonly [Kind in DriverKind]?: Readonly<Record<string, unknown>> };
  readonly pluginPolicy?: Partial<PluginPolicy> | undefined;
  /** The folder in each cgroup tree for plugins' processes. */
  readonly cgroupParent?: string | undefined;
  /** What installing needs of rooms that come later. */
  readonly installTools?: () => InstallTools;
}
export interface HostOptions extends PluginHostOptions {
  readonly events: EventBus;
  readonly version: string;
  readonly installTools: () => InstallTools;
}

export function withDefaultsOf(options: PluginHostOptions): HostOptions {
  const installTools = (): never => {
    throw notImplemented('this engine has no place to install plugins');
  };
  return { events: new EventBus(), version: '0.0.0', installTools, ...options };
}
