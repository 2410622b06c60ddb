import type { LayerRow } from '../metadata/index.ts';
import { again, repairIt } from './blobs.ts';
import type { StoreCheckParts } from './check.ts';
import type { Examination } from './examination.ts';

type Parts = Pick<StoreCheckParts, 'content' | 'images' | 'layers'>;

const shownPaths = 3;

/** Every layer's files are what its blob says: it is unpacked once more beside the first, and both are read. */
export async function checkLayers(parts: Parts, examination: Examination): Promise<void> {
  const rows = parts.layers.images.parentsFirst();
  for (const { chainId } of rows) {
    examination.saw('layers', rows.length);
    const row = parts.layers.images.get(chainId);
    if (row !== undefined) await checkLayer(parts, row, examination);
  }
}

async function checkLayer({ content, images, layers }: Parts, row: LayerRow, examination: Examination): Promise<void> {
  const { chainId, blobDigest } = row;
  using _held = layers.images.holdChain(chainId);
  // Told with the blobs: there is nothing to hold it against.
  if (!content.has(blobDigest) || examination.isFound(blobDigest)) return;
  const usedBy = images.usersOf({ chainId });
  let problem: string | undefined;
  try {
    const differing = await layers.images.mending.differences(row, { signal: examination.signal });
    if (differing.length === 0) return;
    const more = differing.length > shownPaths ? ` and ${differing.length - shownPaths} more` : '';
    problem = `is not what its blob says: ${differing.slice(0, shownPaths).join(', ')}${more}`;
  } catch (error) {
    examination.signal?.throwIfAborted();
    problem = `cannot be checked: ${error instanceof Error ? error.message : String(error)}`;
  }
  const users = layers.containers.usersOf(chainId);
  if (users.length > 0) {
    const advice = `stop ${users.map((id) => id.slice(0, 12)).join(', ')}, then ${repairIt}`;
    return examination.found({ kind: 'layer', id: chainId, problem, usedBy, advice });
  }
  await examination.found({ kind: 'layer', id: chainId, problem, usedBy, advice: `${repairIt}, or ${again(usedBy)}` }, async () => {
    await content.verify(blobDigest, { signal: examination.signal });
    await layers.images.mending.unpackAgain(row, { signal: examination.signal });
    return 'unpacked again from its blob';
  });
}
