import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fromErrno, internal } from '@gantry/sdk';
import { isErrno } from '@gantry/sdk/linux';

/** Makes the container's own folder; answers how to take it back. Whatever is wrong with the disk, nobody asked for something that is not there. */
export function makeContainerFolder(path: string): () => void {
  try {
    make(path);
  } catch (error) {
    const told = fromErrno(error, `make folder ${path}`);
    throw told.code === 'not_found' ? internal(told.message, { cause: error }) : told;
  }
  return () => rmSync(path, { recursive: true, force: true });
}

/** Of a read-only file system Node says that the folder is not there, when it is asked to make those above it, too. */
function make(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    mkdirSync(path, { mode: 0o700 });
  }
}
