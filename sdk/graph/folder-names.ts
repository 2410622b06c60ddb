import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Family } from './family.ts';

/** Who lies on whom in a root, read in pieces: ten thousand folders must not hold up who shares this thread. What vanishes meanwhile is left out. */
export async function familyIn(root: string): Promise<Family> {
  const family = new Family();
  for (const [at, key] of keysIn(root).entries()) {
    if (at % 200 === 199) await turn();
    family.add(key, parentsIn(join(root, key))?.[0]);
  }
  return family;
}

/** The chain that a snapshot's folder names; undefined when it is no snapshot's. */
export function parentsIn(folder: string): readonly string[] | undefined {
  try {
    const text = readFileSync(join(folder, 'parents'), 'utf8');
    return text === '' ? [] : text.split('\n');
  } catch {
    return undefined;
  }
}

/** Keys of snapshots in a root; what drivers keep beside them has names that are no keys. */
export function keysIn(root: string): readonly string[] {
  return readdirSync(root).filter((name) => isKey(name));
}

export function isKey(name: string): boolean {
  return /^[a-z0-9._-]{1,64}$/.test(name) && name !== '.' && name !== '..';
}
