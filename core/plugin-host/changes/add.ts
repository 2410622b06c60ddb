import { alreadyExists, forbidden, notImplemented } from '@gantry/sdk';
import type { Placement } from '@gantry/sdk/engine';
import { privilegesOf } from '../../plugin-manifest/index.ts';
import { failpoint, randomId } from '../../support/index.ts';
import type { ChangesParts } from './change-parts.ts';
import type { Plugin } from '../life/plugin.ts';
import type { PluginRecord, Version } from '../record.ts';
import { defaultPlacement } from '../records.ts';

export function checkFree({ registry }: ChangesParts, name: string): void {
  if (registry.has(name))
    throw alreadyExists(`plugin ${name} is installed already`, { hint: 'upgrade it, or choose another name with an alias' });
}

/** Records a plugin and knows it from now on. One whose objects outlived an earlier install gets its id and user back. */
export function addPlugin(
  { records, registry, make }: ChangesParts,
  given: Omit<PluginRecord, 'id' | 'builtIn' | 'isInstalled' | 'privileges' | 'uid'>,
): Plugin {
  const former = records.takeBack(given.manifest, given.name);
  const record: PluginRecord = {
    ...given,
    id: former?.id ?? randomId(),
    builtIn: false,
    isInstalled: true,
    privileges: privilegesOf(given.manifest),
    uid: former?.uid || records.freeUid(),
  };
  failpoint('plugin.fetched');
  records.put(record);
  failpoint('plugin.recorded');
  const plugin = make(record);
  registry.add(plugin);
  return plugin;
}

/** Where a version is to run: as wished, when its manifest allows it. */
export function placementFor({ manifest, dockerConfig }: Version, wished: Placement | undefined): Placement {
  if (dockerConfig !== undefined) return 'container';
  const { placement: allowed = ['process'] } = manifest;
  if (wished === 'container' || wished === 'external') throw notImplemented(`a plugin cannot be installed as ${wished}`);
  const placement = wished ?? defaultPlacement;
  if (allowed.includes(placement)) return placement;
  throw forbidden(`plugin ${manifest.name} does not run in placement ${placement}`, {
    hint: `its manifest allows ${allowed.join(', ')}; in the engine's process, threads included, it may do all that the engine may: choose that only for code that you trust`,
  });
}
