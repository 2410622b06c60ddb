import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkManifest, type Manifest, messageOf } from '@gantry/sdk';

export interface Discovered {
  readonly dir: string;
  readonly manifest: Manifest;
}
export interface Rejected {
  readonly dir: string;
  readonly reason: string;
}

const manifestName = 'gantry-plugin.json';

/**
 * Looks for plugins in `<folder>/<kind>/<name>` and `<folder>/<name>`. A folder without a manifest is no plugin; one with a bad
 * manifest is reported with the reason and hurts nobody else. A folder that is not there counts as empty.
 */
export function discoverPlugins(folders: readonly string[]): {
  readonly found: readonly Discovered[];
  readonly rejected: readonly Rejected[];
} {
  const found: Discovered[] = [];
  const rejected: Rejected[] = [];
  for (const dir of folders.flatMap(candidates)) {
    const text = readManifest(dir);
    if (text === undefined) continue;
    try {
      found.push({ dir, manifest: checkManifest(JSON.parse(text)) });
    } catch (error) {
      rejected.push({ dir, reason: `${manifestName}: ${messageOf(error)}` });
    }
  }
  return { found, rejected };
}

function candidates(folder: string): string[] {
  const level = subfolders(folder);
  return [...level, ...level.flatMap(subfolders)];
}

function subfolders(folder: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
    .map((entry) => join(folder, entry.name))
    .toSorted();
}

function readManifest(dir: string): string | undefined {
  try {
    return readFileSync(join(dir, manifestName), 'utf8');
  } catch {
    return undefined;
  }
}
