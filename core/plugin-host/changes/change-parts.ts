import type { HostOptions } from '../options.ts';
import type { Plugin } from '../life/plugin.ts';
import type { PluginRecord } from '../record.ts';
import type { Records } from '../records.ts';
import type { Registry } from '../registry.ts';

/** What every change of plugins works on. */
export interface ChangesParts {
  readonly options: HostOptions;
  readonly records: Records;
  readonly registry: Registry;
  readonly make: (record: PluginRecord) => Plugin;
  readonly onEvent: (plugin: Plugin, action: string, attributes?: Readonly<Record<string, string>>) => void;
}
