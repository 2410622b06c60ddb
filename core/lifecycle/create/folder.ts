import { mkdirSync, rmSync } from 'node:fs';
import { fromErrno } from '@gantry/sdk';

/** Makes the container's own folder; answers how to take it back. */
export function makeContainerFolder(path: string): () => void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fromErrno(error, `make folder ${path}`);
  }
  return () => rmSync(path, { recursive: true, force: true });
}
