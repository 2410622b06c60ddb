import type { CommitContainer } from '@gantry/sdk/engine';
import { failpoint } from '../support/index.ts';
import type { Entry } from './entry.ts';
import type { Room } from './room.ts';
import { pauseContainer, unpauseContainer } from './stop/pause.ts';

/** An image from a container's changes; the container stands still meanwhile when asked to and goes on whatever becomes of it. */
export async function commitContainer(room: Room, entry: Entry, request: CommitContainer): Promise<{ readonly id: string }> {
  const { reference, author, comment, changes, config = entry.document.config } = request;
  const pauses = request.pause && entry.run !== undefined && !entry.isPaused;
  try {
    if (pauses) await standStill(room, entry);
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
    if (pauses) await goOn(room, entry);
  }
}

/** Whose doing it is is written down first: an engine that takes over lets the container go on. */
async function standStill(room: Room, entry: Entry): Promise<void> {
  room.store.setState(entry, { isPausedForCommit: true });
  await pauseContainer(room, entry);
}

async function goOn(room: Room, entry: Entry): Promise<void> {
  if (entry.isPaused) await unpauseContainer(room, entry);
  room.store.setState(entry, { isPausedForCommit: false });
}
