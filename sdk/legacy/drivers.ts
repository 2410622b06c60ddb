import { notImplemented } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import { type DockerKind, dockerKinds, isDockerKind } from './wire.ts';

export interface DockerDriver {
  readonly kind: DockerKind;
  readonly name: string;
}

/**
 * The drivers of a plugin that Docker can use: one of each kind, under the plugin's name, since Docker's plugins have no other. `not_implemented`, saying
 * why, for a plugin that has more, or has a kind that Docker's protocol lacks.
 */
export function dockerDrivers({ name: plugin, provides }: Pick<Manifest, 'name' | 'provides'>): readonly DockerDriver[] {
  const found = new Map<DockerKind, string>();
  for (const { contract, drivers } of provides) {
    if (!isDockerKind(contract)) {
      throw notImplemented(`plugin ${plugin} has a ${contract} driver, and Docker's plugin protocol has no ${contract} drivers`, {
        hint: `it has ${Object.keys(dockerKinds).join(', ')}`,
      });
    }
    for (const name of drivers) {
      const other = found.get(contract);
      if (name === '*')
        throw notImplemented(`plugin ${plugin} leaves the names of its ${contract} drivers open, and Docker's plugins have one`);
      if (other !== undefined && other !== name) {
        throw notImplemented(`plugin ${plugin} has the ${contract} drivers ${other} and ${name}, and Docker's plugins have one of a kind`, {
          hint: 'make a plugin of each',
        });
      }
      found.set(contract, name);
    }
  }
  return [...found].map(([kind, name]) => ({ kind, name }));
}
