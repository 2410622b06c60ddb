import { invalidArgument } from '@gantry/sdk';
import type { Filters, PluginInfo } from '@gantry/sdk/engine';
import { interfaceTypes } from '../../shapes/plugin-document.ts';

type Test = (plugin: PluginInfo, values: readonly string[]) => boolean;

const dockers: Readonly<Record<string, Test>> = {
  enabled: (plugin, values) => plugin.enabled === truthOf('enabled', values),
  capability: (plugin, values) =>
    [...interfaceTypes(plugin).map(capabilityOf), ...plugin.provides.map(({ contract }) => contract)].some((name) => values.includes(name)),
};
const ours: Readonly<Record<string, Test>> = {
  ...dockers,
  name: ({ name }, values) => values.some((part) => name.includes(part)),
  state: ({ state }, values) => values.includes(state),
  placement: ({ placement }, values) => values.includes(placement),
  provides: ({ provides }, values) =>
    provides.some(
      ({ contract, drivers }) => values.includes(contract) || drivers.some((driver) => values.includes(`${contract}/${driver}`)),
    ),
};

/** Docker's filters `enabled` and `capability`; with `extended` also name, state, placement and provides. */
export function pluginFilter(filters: Filters, { extended }: { readonly extended: boolean }): (plugin: PluginInfo) => boolean {
  const tests = extended ? ours : dockers;
  for (const key of Object.keys(filters)) if (!Object.hasOwn(tests, key)) throw invalidArgument(`invalid filter '${key}'`);
  const given = Object.entries(filters).filter(([, values]) => values.length > 0);
  if (filters['enabled'] !== undefined) truthOf('enabled', filters['enabled']);
  return (plugin) => given.every(([key, values]) => tests[key]?.(plugin, values) === true);
}

function truthOf(key: string, values: readonly string[]): boolean {
  const [value = ''] = values;
  if (values.length > 1 || !/^(1|0|true|false)$/.test(value)) throw invalidArgument(`invalid filter '${key}=[${values.join(' ')}]'`);
  return value === '1' || value === 'true';
}

/** "volumedriver" of "docker.volumedriver/1.0". */
const capabilityOf = (type: string) => type.replace(/^[^.]*\./, '').replace(/\/.*$/, '');
