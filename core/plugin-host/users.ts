import type { Ref } from '@gantry/sdk';
import type { PluginUser } from '@gantry/sdk/engine';
import { type Database, objectsOf, volumeAttachmentIds } from '../metadata/index.ts';
import type { Version } from './record.ts';

/** Pairs of contract and driver that the plugin serves now. */
export type Serves = readonly (readonly [contract: string, driver: string])[];

/** Who would miss the plugin, asked from the records: nothing is counted, so nothing can be counted wrongly. */
export function usersOf(database: Database, serves: Serves, { manifest }: Version): readonly PluginUser[] {
  return serves.flatMap(([contract, driver]) =>
    objectsOf(database, contract, driver).map((object) => ({
      kind: kindOf(object.kind),
      id: object.id,
      name: object.name,
      driver: `${contract}/${driver}`,
      hard: object.isActive && (contract === 'exec' || manifest.privileges?.driverMounted === true),
    })),
  );
}

/** What the engine believes a plugin has. */
export function refsOf(database: Database, serves: Serves): readonly Ref[] {
  return serves.flatMap(([contract, driver]) => {
    const objects = objectsOf(database, contract, driver).map(({ kind, id }): Ref => ({ contract, driver, kind, id }));
    const attachments = contract === 'volume' ? volumeAttachmentIds(database, driver) : [];
    return [...objects, ...attachments.map((id): Ref => ({ contract, driver, kind: 'attachment', id }))];
  });
}

const kindOf = (kind: string): PluginUser['kind'] =>
  kind === 'snapshot' ? 'layer' : kind === 'pool' ? 'network' : (kind as PluginUser['kind']);

/** "volume a, volume b and 3 more" */
export function listed(users: readonly PluginUser[]): string {
  const shown = users.slice(0, 5).map(({ kind, name }) => `${kind} ${name}`);
  return `${shown.join(', ')}${users.length > shown.length ? ` and ${users.length - shown.length} more` : ''}`;
}
