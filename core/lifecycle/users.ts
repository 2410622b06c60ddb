import type { ImageUsers } from '../images/types.ts';
import type { NetworkUsers } from '../networks/types.ts';
import type { Entry } from './entry.ts';
import type { Room } from './room.ts';

/** What networks ask of this room. */
export function networkUsers(room: Room): NetworkUsers {
  return {
    find: (reference) => {
      const entry = room.store.find(reference);
      const { id, name, document, isRunning, run } = entry;
      const { config, hostConfig, networks } = document;
      return {
        id,
        name,
        config,
        hostConfig,
        networks,
        running: isRunning,
        resolvConfPath: room.folders.files(id).resolvConf,
        ...(run && { pid: run.pid }),
      };
    },
    setNetworks: (id, networks) => Promise.try(() => room.store.setDocumentAside(room.store.find(id), { networks })),
    usersOf: (networkId, networkName) =>
      room.store
        .all()
        .filter((entry) => names(entry, networkId, networkName))
        .map(({ id, name, isRunning }) => ({ id, name, running: isRunning })),
  };
}

/** What images ask of this room. */
export function imageUsers(room: Room): ImageUsers {
  return {
    usersOf: (imageId) =>
      room.store
        .all()
        .filter(
          ({ document }) =>
            document.imageId === imageId || document.mounts.some(({ type, source }) => type === 'image' && source === imageId),
        )
        .map(({ id, name, isRunning }) => ({ id, name, running: isRunning })),
  };
}

function names({ document: { networks, hostConfig } }: Entry, networkId: string, networkName: string): boolean {
  const wished = [...Object.keys(networks), hostConfig.NetworkMode ?? ''];
  return wished.some((name) => name === networkName || name === networkId || (name.length >= 12 && networkId.startsWith(name)));
}
