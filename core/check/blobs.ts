import { codeOf } from '@gantry/sdk';
import type { StoreCheckParts } from './check.ts';
import type { Examination } from './examination.ts';

type Parts = Pick<StoreCheckParts, 'content' | 'images' | 'layers'>;

/** Every blob is what its name says, somebody names it, and everybody's are there. */
export async function checkBlobs(parts: Parts, examination: Examination): Promise<void> {
  const { content, images } = parts;
  const there = content.list();
  for (const digest of there) {
    examination.saw('blobs', there.length);
    await checkBlob(parts, digest, examination);
  }
  for (const digest of neededBlobs(parts)) {
    if (content.has(digest) || examination.isFound(digest)) continue;
    const usedBy = images.usersOf({ blob: digest });
    // Nobody's any more since the list was made.
    if (usedBy.length > 0) await examination.found({ kind: 'blob', id: digest, problem: 'is not there', usedBy, advice: again(usedBy) });
  }
  for (const digest of await images.strays()) {
    await examination.found(
      { kind: 'blob', id: digest, problem: 'no image and no layer names it', usedBy: [], advice: repairIt },
      async () => {
        await images.collect();
        return 'removed';
      },
    );
  }
}

async function checkBlob({ content, images, layers }: Parts, digest: string, examination: Examination): Promise<void> {
  using _held = layers.images.holdBlobs([digest]);
  try {
    await content.verify(digest, { signal: examination.signal });
  } catch (error) {
    examination.signal?.throwIfAborted();
    if (!content.has(digest)) return;
    const problem =
      codeOf(error) === 'data_loss' ? 'is damaged' : `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    const usedBy = images.usersOf({ blob: digest });
    await examination.found({ kind: 'blob', id: digest, problem, usedBy, advice: again(usedBy) }, async () => {
      return `put aside as ${await content.quarantine(digest)}; ${again(usedBy)}`;
    });
  }
}

function neededBlobs({ images, layers }: Parts): ReadonlySet<string> {
  return new Set([...images.ids(), ...layers.images.all().map(({ blobDigest }) => blobDigest)]);
}

export function again(usedBy: readonly string[]): string {
  return usedBy.length === 0 ? repairIt : `load or pull ${usedBy.join(', ')} again`;
}

export const repairIt = 'gantry system check --repair';
