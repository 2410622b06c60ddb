import { conflict, type Manifest, unavailable } from '@gantry/sdk';
import semver from 'semver';
import type { Plugin } from './life/plugin.ts';

/** What a manifest wants of the engine: `engines.gantry`. A version of this engine that is made on the way to the next counts as that one. */
export function checkEngine({ name, engines }: Manifest, engineVersion: string): void {
  const wanted = engines?.['gantry'];
  if (wanted === undefined || semver.satisfies(engineVersion, wanted, { includePrerelease: true })) return;
  const text = semver.validRange(wanted) === null ? `${JSON.stringify(wanted)}, which is no version range` : wanted;
  throw conflict(`plugin ${name} is for engine versions ${text}; this one is ${engineVersion}`, {
    reason: 'NO_COMMON_VERSION',
    hint: 'install a version of the plugin for this engine',
  });
}

/** The plugins that one needs, started before it. A missing one, one of another version, and a circle are told with the whole chain. */
export async function startRequired(plugin: Plugin, find: (name: string) => Plugin | undefined): Promise<void> {
  for (const required of requiredBy(plugin, find)) await required.serving();
}

function requiredBy(plugin: Plugin, find: (name: string) => Plugin | undefined, chain: readonly string[] = []): readonly Plugin[] {
  const path = [...chain, plugin.name];
  return (plugin.record.manifest.requires ?? []).flatMap(({ plugin: name, version, optional = false }) => {
    const other = find(name);
    if (path.includes(name))
      throw conflict(`plugins need each other in a circle: ${[...path, name].join(' → ')}`, { reason: 'NO_COMMON_VERSION' });
    if (other === undefined || !other.record.enabled) {
      if (optional) return [];
      throw unavailable(`plugin ${path.join(' → ')} needs plugin ${name}, which is ${other === undefined ? 'not installed' : 'disabled'}`, {
        reason: 'WAITING_FOR',
      });
    }
    const has = other.record.manifest.version;
    if (version !== undefined && !semver.satisfies(has, version, { includePrerelease: true })) {
      throw conflict(`plugin ${path.join(' → ')} needs plugin ${name} ${version}; version ${has} is installed`, {
        reason: 'NO_COMMON_VERSION',
      });
    }
    return [...requiredBy(other, find, path), other];
  });
}
