import { closeSync, fstatSync, openSync } from 'node:fs';
import { openInRoot, openPath } from '@gantry/sdk/linux';

/** An O_PATH descriptor, whose owner closes it. */
export interface Opened {
  readonly descriptor: number;
  readonly isFolder: boolean;
}

/** A path inside the source, resolved without leaving it; the source itself when it is empty. */
export function openFolderOrFile(source: string, subpath: string): Opened {
  const descriptor = subpath === '' ? openSync(source, openPath) : openInRoot(source, subpath, { flags: openPath });
  try {
    return { descriptor, isFolder: fstatSync(descriptor).isDirectory() };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}
