import type { Content } from './content/index.ts';
import type { ImagesRoom } from './images/index.ts';
import type { Layers } from './layers/index.ts';

interface Parts {
  readonly content: Content;
  readonly layers: Layers;
  readonly images: ImagesRoom;
  /** The graph driver of new layers. */
  readonly graphDriver: () => Promise<string>;
}

/**
 * Removes from the disk what an engine that died was making: spools, blobs and snapshots that no record names. What a record names is the
 * affair of the rooms themselves. Only before the first call is answered: nothing here can tell new work from what was left.
 */
export async function collectRemains({ content, layers, images, graphDriver }: Parts): Promise<void> {
  content.sweep();
  const containers = layers.containers.all();
  const drivers = new Set([...layers.images.all(), ...containers].map(({ driver }) => driver));
  if (drivers.size === 0) drivers.add(await graphDriver());
  await layers.collect([...drivers], new Set(containers.map(({ containerId }) => containerId)));
  await images.collect();
}
