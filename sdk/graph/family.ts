import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

/** Which snapshots lie directly on which, by what stands in their folders; read when first asked, and told of changes from then on. */
export class Family {
  readonly #parentOf = new Map<string, string>();
  readonly #childrenOf = new Map<string, Set<string>>();

  private constructor() {}

  /** Reads all folders of a root, in pieces: ten thousand of them must not hold up who shares this thread. What vanishes meanwhile is left out. */
  static async read(root: string, keys: readonly string[]): Promise<Family> {
    const family = new Family();
    for (const [at, key] of keys.entries()) {
      if (at % 200 === 199) await turn();
      const [parent] = parentsIn(join(root, key)) ?? [];
      if (parent !== undefined) family.add(key, parent);
    }
    return family;
  }

  add(key: string, parent: string | undefined): void {
    this.remove(key);
    if (parent === undefined) return;
    this.#parentOf.set(key, parent);
    this.#childrenOf.set(parent, (this.#childrenOf.get(parent) ?? new Set()).add(key));
  }

  remove(key: string): void {
    const parent = this.#parentOf.get(key);
    if (parent === undefined) return;
    this.#parentOf.delete(key);
    const siblings = this.#childrenOf.get(parent);
    siblings?.delete(key);
    if (siblings?.size === 0) this.#childrenOf.delete(parent);
  }

  childrenOf(key: string): readonly string[] {
    return [...(this.#childrenOf.get(key) ?? [])];
  }
}

/** The chain that a snapshot's folder names; undefined when it is no snapshot's. */
export function parentsIn(folder: string): readonly string[] | undefined {
  try {
    return readFileSync(join(folder, 'parents'), 'utf8')
      .split('\n')
      .filter((parent) => parent !== '');
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
