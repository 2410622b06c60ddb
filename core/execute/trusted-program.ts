import { realpathSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { unavailable } from '@gantry/sdk';

/**
 * The real path of a program that runs as root because a plugin was granted it, so nobody but root may be able to put another in its place:
 * `unavailable` otherwise, and when it is not there. `what` is its kind, for messages.
 */
export function trustedProgram(path: string, { what, plugin }: { readonly what: string; readonly plugin: string }): string {
  const stats = statOf(path);
  if (stats === undefined) throw unavailable(`${what} ${path} is not installed`);
  if (!stats.isFile() || (stats.mode & 0o111) === 0) throw unavailable(`${what} ${path} is no program`);
  const real = realpathSync(path);
  const open = [real, ...foldersAbove(real)].find((each) => isOpenToOthers(statSync(each)));
  if (open !== undefined) {
    throw unavailable(`${what} ${path} of plugin ${plugin} can be changed by others than root, by way of ${open}`, {
      hint: `chown root ${open}; chmod go-w ${open}`,
    });
  }
  return real;
}

/** Undefined: nothing is there, or nothing that can be looked at. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function foldersAbove(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [] : [above, ...foldersAbove(above)];
}

/** In a sticky folder only its owner can replace what is there. */
function isOpenToOthers(stats: Stats): boolean {
  const isSticky = stats.isDirectory() && (stats.mode & 0o1000) !== 0;
  return stats.uid !== 0 || ((stats.mode & 0o022) !== 0 && !isSticky);
}
