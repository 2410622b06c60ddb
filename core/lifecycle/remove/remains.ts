import { rmSync } from 'node:fs';
import { failpoint } from '../../support/index.ts';
import type { Entry } from '../entry.ts';
import { loggedContainer } from '../logged.ts';
import type { Room } from '../room.ts';
import { volumeNames } from '../start/mounts.ts';

/** Takes away everything that a container had, in any order of earlier failures: every part may be gone already. Its row is gone before. */
export async function removeRemains(
  room: Room,
  entry: Pick<Entry, 'id' | 'name' | 'document'>,
  { withVolumes }: { readonly withVolumes: boolean },
): Promise<void> {
  const { id, document } = entry;
  const { layers, volumes, logs } = room.parts;
  const anonymous = document.mounts.flatMap(({ volume }) => (volume?.anonymous === true ? [volume.name] : []));
  volumes.unreference(id);
  failpoint('remove.vol.unref');
  if (withVolumes && volumeNames(document.mounts).length > 0) await volumes.removeAnonymous(anonymous);
  await layers.remove(id);
  failpoint('remove.rw.layer');
  await logs.purge(loggedContainer(room, entry));
  for (const folder of [room.folders.container(id), room.folders.bundle(id)]) rmSync(folder, { recursive: true, force: true });
  room.rows.endRemoval(id);
  failpoint('remove.end');
}
