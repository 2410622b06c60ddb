import { conflict, invalidArgument, type Manifest } from '@gantry/sdk';
import { pluginState } from '../../metadata/index.ts';
import type { ChangesParts } from './change-parts.ts';
import type { PluginRecord, Version } from '../record.ts';

/** Objects bind to a driver's name: a version that lacks one would strand them. */
export function checkSuccessor(before: Manifest, after: Manifest): void {
  if (after.name !== before.name)
    throw invalidArgument(`${after.name} is another plugin than ${before.name}`, { hint: 'install it beside' });
  for (const { contract, drivers } of before.provides) {
    const kept = after.provides.find((provided) => provided.contract === contract)?.drivers ?? [];
    const lost = drivers.find((driver) => !kept.includes(driver));
    if (lost !== undefined)
      throw conflict(`version ${after.version} has no ${contract} driver ${lost}, which version ${before.version} has`);
  }
}

/** A version as it is kept to go back to, with the plugin's state where the next one writes another format of it. */
export function asPrevious({ options }: ChangesParts, record: PluginRecord, next: Version): NonNullable<PluginRecord['previous']> {
  const { dir, manifest, source, digest, dockerConfig, privileges, settings } = record;
  const isOtherFormat = (next.manifest.state?.version ?? 1) !== (manifest.state?.version ?? 1);
  return {
    dir,
    manifest,
    source,
    digest,
    privileges,
    settings,
    ...(dockerConfig === undefined ? {} : { dockerConfig }),
    ...(isOtherFormat ? { state: pluginState(options.database, record.name).list('') } : {}),
  };
}
