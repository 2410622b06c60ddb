import { isDeepStrictEqual } from 'node:util';
import type { DaemonOptions } from '../cli/daemon/index.ts';

/** What an engine that runs can take over. */
const live: ReadonlySet<string> = new Set(['debug', 'logLevel', 'labels', 'notes']);

/** The settings that are in force after a reload, and the names of those that were changed and need a new start. */
export function mergeReloaded(
  now: DaemonOptions,
  read: DaemonOptions,
): { readonly options: DaemonOptions; readonly changed: readonly string[]; readonly waiting: readonly string[] } {
  const names = [...new Set([...Object.keys(now), ...Object.keys(read)])] as (keyof DaemonOptions)[];
  const different = names.filter((name) => !isDeepStrictEqual(now[name], read[name]));
  const { debug, logLevel, labels, notes } = read;
  return {
    options: { ...now, debug, logLevel, labels, notes },
    changed: different.filter((name) => live.has(name)),
    waiting: different.filter((name) => !live.has(name)),
  };
}
