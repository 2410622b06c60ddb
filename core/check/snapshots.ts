import { conflict, messageOf } from '@gantry/sdk';
import { repairIt } from './blobs.ts';
import type { StoreCheckParts } from './check.ts';
import type { Examination } from './examination.ts';

type Parts = Pick<StoreCheckParts, 'layers'>;

/** Graph drivers have what the records name, and nothing else. */
export async function checkSnapshots({ layers }: Parts, examination: Examination): Promise<void> {
  for (const driver of layers.driverNames()) {
    examination.saw('graphDrivers', layers.driverNames().length);
    let found: Awaited<ReturnType<typeof layers.compare>>;
    try {
      found = await layers.compare(driver);
    } catch (error) {
      const problem = `does not say what it has: ${messageOf(error)}`;
      await examination.found({
        kind: 'snapshot',
        id: driver,
        problem,
        usedBy: [],
        advice: `gantry plugin ls: the graph driver ${driver}`,
      });
      continue;
    }
    const left = examination.repair ? await layers.removeSnapshots(driver, found.unknown) : [];
    for (const key of found.unknown) {
      const problem = `graph driver ${driver} has it and no record names it`;
      await examination.found({ kind: 'snapshot', id: key, problem, usedBy: [], advice: repairIt }, async () => {
        if (left.includes(key)) throw conflict('others lie on it, or it is mounted');
        return 'removed';
      });
    }
    for (const key of found.missing) await tellMissing(layers, { driver, key }, examination);
  }
}

/** A layer of an image is told with the layers; what a container wrote nobody can bring back. */
async function tellMissing(
  layers: Parts['layers'],
  { driver, key }: { readonly driver: string; readonly key: string },
  examination: Examination,
): Promise<void> {
  if (layers.images.all().some((row) => row.key === key)) return;
  const container = layers.containers.all().find((row) => row.key === key);
  const problem = `graph driver ${driver} no longer has ${container === undefined ? 'the init layer' : 'what it wrote'}`;
  const advice = container === undefined ? 'remove the containers of its image, and create them again' : 'remove it and create it again';
  await examination.found({ kind: 'container', id: container?.containerId ?? key, problem, usedBy: [], advice });
}
