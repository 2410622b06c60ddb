import { statfsSync } from 'node:fs';
import { type Abortable, GantryError, messageOf } from '@gantry/sdk';
import type { ImageRow } from '../metadata/index.ts';
import { familiarText, parseReference } from './reference.ts';
import { removeImage } from './remove.ts';
import type { Parts } from './types.ts';

/** When images that no container uses go by themselves; neither given: never. */
export interface ImageRetention {
  /** Unused for so long. */
  readonly unusedForMs?: number | undefined;
  /** The file system of the data root is fuller than this: those unused for longest go until it is not. */
  readonly aboveDiskPercent?: number | undefined;
}

interface Unused {
  readonly id: string;
  readonly sinceMs: number;
  readonly isNamed: boolean;
}

/** Removes what retention says, the nameless first and then those unused for longest. Answers the ids. */
export async function removeUnused(
  parts: Parts,
  { unusedForMs, aboveDiskPercent }: ImageRetention,
  { dataRoot, nowMs, signal }: { readonly dataRoot: string; readonly nowMs: number } & Abortable,
): Promise<readonly string[]> {
  const removed: string[] = [];
  // Files are deleted in the background: what was freed is counted, not seen.
  const before = storedBytes(parts);
  const excess = aboveDiskPercent === undefined ? 0 : excessBytes(dataRoot, aboveDiskPercent);
  for (const image of unusedImages(parts)) {
    signal?.throwIfAborted();
    const isOld = unusedForMs !== undefined && nowMs - image.sinceMs > unusedForMs;
    if (!isOld && before - storedBytes(parts) >= excess) continue;
    if (await isRemoved(parts, image, isOld ? 'unused for too long' : 'the disk is too full')) removed.push(image.id);
  }
  return removed;
}

/** Children before parents, since a parent goes with them. What is for several platforms is one. */
function unusedImages({ store, users }: Parts): readonly Unused[] {
  return store
    .all()
    .filter(({ id }) => store.referencesOf(id).length === 0 || store.ledBy(id).length > 0)
    .map(({ id }) => ({ id, platforms: store.siblingsOf(id).map((each) => store.get(each)) }))
    .filter(({ platforms }) => platforms.every((row) => users().usersOf(row.id).length === 0 && store.childrenOf(row.id).length === 0))
    .map(({ id, platforms }) => ({ id, sinceMs: Math.max(...platforms.map(lastUseMs)), isNamed: store.referencesOf(id).length > 0 }))
    .toSorted((left, right) => Number(left.isNamed) - Number(right.isNamed) || left.sinceMs - right.sinceMs);
}

function lastUseMs({ addedMs, lastTagged, usedMs }: ImageRow): number {
  return Math.max(addedMs, usedMs, lastTagged === '' ? 0 : Date.parse(lastTagged) || 0);
}

/** All names at once; somebody may have begun to use it meanwhile, which is no failure. */
async function isRemoved(parts: Parts, { id }: Unused, why: string): Promise<boolean> {
  const names = parts.store.referencesOf(id).map((text) => familiarText(parseReference(text)));
  try {
    for (const name of names.slice(1)) await removeImage(parts, name, { force: false, prune: true });
    await removeImage(parts, id, { force: false, prune: true });
  } catch (error) {
    if (!GantryError.is(error)) throw error;
    parts.log.debug({ image: id, error: messageOf(error) }, 'image stays');
    return false;
  }
  parts.log.info({ image: id, names, why }, 'removed an image that nobody uses');
  return true;
}

/** Layers, as files and as blobs. */
function storedBytes({ layers, content }: Parts): number {
  return layers.images.all().reduce((sum, { sizeBytes, blobDigest }) => {
    return sum + sizeBytes + (content.has(blobDigest) ? content.sizeOf(blobDigest) : 0);
  }, 0);
}

/** How much more is used than the limit allows; as df(1) counts, of what is not reserved for root. */
function excessBytes(path: string, percent: number): number {
  const { bsize, blocks, bfree, bavail } = statfsSync(path);
  const used = blocks - bfree;
  return (used - ((used + bavail) * percent) / 100) * bsize;
}
