import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MountTools } from '../mounts/index.ts';

/** A module beside this one, as source or as built. */
export function besideUs(name: string): URL {
  return new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}

/** Of a plugin's root file system only what came with it is known to be there. */
export function ownTools(): MountTools {
  const child = [...ownNode(), fileURLToPath(besideUs('mount-child'))];
  return { mount: [...child, 'mount'], statfs: [...child, 'statfs'] };
}

/** Starts this Node once more. In a stranger's root it was started by a loader of its own (`ld.so --library-path … node`), which is what the kernel calls its program. */
function ownNode(): readonly string[] {
  const { execPath, argv0 } = process;
  return basename(execPath).startsWith('ld-') ? [execPath, '--library-path', join(dirname(execPath), 'lib'), argv0] : [execPath];
}
