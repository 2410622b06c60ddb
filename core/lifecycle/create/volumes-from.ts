import { GantryError, invalidArgument } from '@gantry/sdk';
import type { HostConfig } from '@gantry/sdk/engine';
import type { Entry } from '../entry.ts';
import type { Room } from '../room.ts';
import type { WantedMount } from '../validate/index.ts';

/** The binds and volumes of the containers named in VolumesFrom ("name[:ro]") at destinations that nothing else takes. */
export function inheritedMounts(room: Room, { VolumesFrom }: HostConfig, own: readonly WantedMount[]): readonly WantedMount[] {
  const taken = new Set(own.map(({ destination }) => destination));
  const inherited: WantedMount[] = [];
  for (const text of VolumesFrom ?? []) {
    const { entry, readOnly } = parse(room, text);
    for (const { volume, shownSource: _, ...mount } of entry.document.mounts) {
      if ((mount.type !== 'bind' && mount.type !== 'volume') || taken.has(mount.destination)) continue;
      taken.add(mount.destination);
      inherited.push({ ...mount, source: volume?.name ?? mount.source, readOnly: readOnly || mount.readOnly, noCopy: true });
    }
  }
  return inherited;
}

function parse(room: Room, text: string): { readonly entry: Entry; readonly readOnly: boolean } {
  const [name = '', mode = 'rw', ...rest] = text.split(':');
  if (name === '' || rest.length > 0) throw invalidArgument(`invalid volumes-from specification: '${text}'`);
  const words = mode.split(',');
  if (!words.every((word) => ['ro', 'rw', 'z', 'Z'].includes(word))) throw invalidArgument(`invalid mode for volumes-from: ${mode}`);
  try {
    return { entry: room.store.find(name), readOnly: words.includes('ro') };
  } catch (error) {
    throw GantryError.is(error) ? invalidArgument(error.message, { cause: error }) : error;
  }
}
