import type { DiskUsage } from '@gantry/sdk/engine';
import type { Parts } from './types.ts';

type Sizes = Pick<DiskUsage, 'layersSizeBytes' | 'layersReclaimableBytes' | 'blobs'>;

/** What images take of the disk, and what of it no container needs: a layer that one of two images shares with a container's is needed. */
export function diskUsage({ layers, content, store, users }: Pick<Parts, 'layers' | 'content' | 'store' | 'users'>): Sizes {
  const chains = layers.containers.all().flatMap(({ topChain }) => (topChain === '' ? [] : layers.images.rowsOf(topChain)));
  const needed = new Set(chains.map(({ chainId }) => chainId));
  const rows = layers.images.all();
  const configs = store.all().filter(({ id }) => users().usersOf(id).length > 0);
  const neededBlobs = new Set([...chains.map(({ blobDigest }) => blobDigest), ...configs.map(({ id }) => id)]);
  // One may go while it is counted.
  const blobs = content.list().flatMap((digest) => (content.has(digest) ? [{ digest, sizeBytes: content.sizeOf(digest) }] : []));
  return {
    layersSizeBytes: sum(rows),
    layersReclaimableBytes: sum(rows.filter(({ chainId }) => !needed.has(chainId))),
    blobs: {
      count: blobs.length,
      sizeBytes: sum(blobs),
      reclaimableBytes: sum(blobs.filter(({ digest }) => !neededBlobs.has(digest))),
    },
  };
}

function sum(things: readonly { readonly sizeBytes: number }[]): number {
  return things.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}
