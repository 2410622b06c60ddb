import type { CommitContainer } from '@gantry/sdk/engine';
import { failpoint } from '../support/index.ts';
import type { Entry } from './entry.ts';
import type { Room } from './room.ts';
import { pauseContainer, unpauseContainer } from './stop/pause.ts';

/** An image from a container's changes; the container stands still meanwhile when asked to and goes on whatever becomes of it. */
export async function commitContainer(room: Room, entry: Entry, request: CommitContainer): Promise<{ readonly id: string }> {
  const { reference, author, comment, changes, config = entry.document.config } = request;
  const pauses = request.pause && entry.run !== undefined && !entry.isPaused;
  if (pauses) await pauseContainer(room, entry);
  try {
    failpoint('commit.pause');
    const image = await room.parts.images.commit({
      containerId: entry.id,
      imageId: entry.document.imageId,
      config,
      changes,
      ...(reference !== undefined && { reference }),
      ...(author !== undefined && { author }),
      ...(comment !== undefined && { comment }),
    });
    room.announce(entry, 'commit', { comment: comment ?? '', imageID: image.id, imageRef: reference ?? '' });
    return image;
  } finally {
    if (pauses && entry.isPaused) await unpauseContainer(room, entry);
  }
}
