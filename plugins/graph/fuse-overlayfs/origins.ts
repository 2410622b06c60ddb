import { readdirSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { isErrno, removeXattr, syncFileSystem } from '@gantry/sdk/linux';

/**
 * fuse-overlayfs notes on each file that it copies up where it came from, and takes two files of one origin for one in its next mount: of two hard links the one that
 * was changed would then show what it was before (seen with 1.10). Without the note each name is a file of its own, as in overlayfs.
 */
const note = 'user.fuseoverlayfs.origin';
const entriesPerTurn = 500;

/** Takes the notes off all files of a tree that is not mounted. Durable when it resolves. Follows no symlink: what is in there is a container's. */
export async function forgetOrigins(tree: string): Promise<void> {
  let looked = 0;
  let isChanged = false;
  const folders: Buffer[] = [Buffer.from(tree)];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })) {
      const path = Buffer.concat([folder, slash, entry.name]);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile() && forget(path)) isChanged = true;
      if (++looked % entriesPerTurn === 0) await turn();
    }
  }
  if (isChanged) await syncFileSystem(tree);
}

const slash = Buffer.from('/');

/** False when there is none, or the file system takes no such notes. */
function forget(path: Buffer): boolean {
  try {
    removeXattr(path, note);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENODATA', 'ENOTSUP', 'EOPNOTSUPP')) return false;
    throw error;
  }
}
