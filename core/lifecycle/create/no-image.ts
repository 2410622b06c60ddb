import { arch } from 'node:process';
import type { Room } from '../room.ts';
import type { ContainerImage } from '../types.ts';

/** What a container is made from that names no image: nothing at all. Docker allows it; such a container is filled by `cp`. */
export async function noImage(room: Room): Promise<ContainerImage> {
  return {
    id: '',
    config: { architecture: arch === 'x64' ? 'amd64' : arch, os: 'linux', rootfs: { type: 'layers', diff_ids: [] } },
    chainIds: [],
    graphDriver: await room.parts.graphDriver(),
  };
}
