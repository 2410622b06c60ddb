import { conflict, type GantryError } from '@gantry/sdk';
import type { DeletedImage } from '@gantry/sdk/engine';
import { shortId } from '../support/index.ts';
import { canonicalText, familiarText, parseReference, type Reference, repositoryOf } from './reference.ts';
import type { Resolved } from './store.ts';
import type { Parts } from './types.ts';

export interface RemoveOptions {
  /** Although stopped containers use it, or several names mean it. */
  readonly force: boolean;
  /** Also parents that nothing else needs. */
  readonly prune: boolean;
  /** Of an image that is meant by a name only the name goes. */
  readonly keepsImage?: boolean;
}
interface Refusal {
  readonly error: GantryError;
  /** By a container. */
  readonly isUsed: boolean;
}

/**
 * What is to go, by Docker's rules, without any of it going yet: a reference first loses its name, and the image goes with its last one;
 * running containers and children always forbid it, stopped containers and further names unless forced. Refusals are `conflict` in
 * Docker's words.
 */
export class Removal {
  readonly unnamed = new Set<string>();
  readonly removed = new Set<string>();
  readonly records: DeletedImage[] = [];
  readonly #parts: Pick<Parts, 'store' | 'users'>;
  readonly #options: RemoveOptions;

  constructor(parts: Pick<Parts, 'store' | 'users'>, options: RemoveOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  add({ row, reference }: Resolved): void {
    if (reference === undefined) this.#addById(row.id);
    else this.#addByName(row.id, reference);
  }

  #addById(id: string): void {
    if (isSingleName(this.#names(id))) {
      const refusal = this.#refusal(id, { stopped: !this.#options.force, names: false });
      if (refusal !== undefined) throw refusal.error;
      this.#unname(this.#names(id));
    }
    this.#remove(id, { force: this.#options.force, isQuiet: false });
  }

  #addByName(id: string, reference: Reference): void {
    const [user] = this.#options.force || !isSingleName(this.#names(id)) ? [] : this.#parts.users().usersOf(id);
    if (user !== undefined) {
      const using = `container ${shortId(user.id)} is using its referenced image ${shortId(id)}`;
      throw conflict(`conflict: unable to delete ${familiarText(reference)} (must be forced) - ${using}`);
    }
    this.#unname([canonicalText(reference)]);
    if (reference.digest === undefined) this.#unnameDigests(id, repositoryOf(reference));
    const isNameless = this.#names(id).length === 0;
    if (isNameless && this.#options.keepsImage !== true) this.#remove(id, { force: this.#options.force, isQuiet: true });
  }

  /** The last tag of a repository takes the digests of the same repository along. */
  #unnameDigests(id: string, repository: string): void {
    const same = this.#names(id).filter((text) => repositoryOf(parseReference(text)) === repository);
    if (same.every((text) => text.includes('@'))) this.#unname(same);
  }

  #unname(references: readonly string[]): void {
    for (const text of references) {
      this.unnamed.add(text);
      this.records.push({ untagged: familiarText(parseReference(text)) });
    }
  }

  #remove(id: string, { force, isQuiet }: { readonly force: boolean; readonly isQuiet: boolean }): void {
    const refusal = this.#refusal(id, { stopped: !force, names: !force });
    if (refusal !== undefined) {
      const isDangling = this.#names(id).length === 0 && this.#children(id).length === 0;
      if (isQuiet && (!isDangling || refusal.isUsed)) return;
      throw refusal.error;
    }
    this.#unname(this.#names(id));
    this.removed.add(id);
    this.records.push({ deleted: id });
    const { parent } = this.#parts.store.get(id);
    const isLeft = this.#parts.store.find(parent) !== undefined && !this.removed.has(parent);
    if (this.#options.prune && isLeft) this.#remove(parent, { force: false, isQuiet: true });
  }

  #refusal(id: string, counts: { readonly stopped: boolean; readonly names: boolean }): Refusal | undefined {
    if (this.#children(id).length > 0) return refuse(id, 'image has dependent child images', { isHard: true, isUsed: false });
    const users = this.#parts.users().usersOf(id);
    const running = users.find((user) => user.running);
    if (running !== undefined) {
      return refuse(id, `image is being used by running container ${shortId(running.id)}`, { isHard: true, isUsed: true });
    }
    if (counts.names && this.#names(id).length > 0) {
      return refuse(id, 'image is referenced in multiple repositories', { isHard: false, isUsed: false });
    }
    const [stopped] = counts.stopped ? users : [];
    if (stopped === undefined) return undefined;
    return refuse(id, `image is being used by stopped container ${shortId(stopped.id)}`, { isHard: false, isUsed: true });
  }

  #names(id: string): readonly string[] {
    return this.#parts.store.referencesOf(id).filter((text) => !this.unnamed.has(text));
  }

  #children(id: string): readonly string[] {
    return this.#parts.store.childrenOf(id).filter((child) => !this.removed.has(child));
  }
}

/** At most one tag, and all names in one repository: removing by id may then take the names along. */
function isSingleName(references: readonly string[]): boolean {
  const repositories = new Set(references.map((text) => repositoryOf(parseReference(text))));
  return references.filter((text) => !text.includes('@')).length <= 1 && repositories.size <= 1;
}

function refuse(id: string, why: string, { isHard, isUsed }: { readonly isHard: boolean; readonly isUsed: boolean }): Refusal {
  const force = isHard ? 'cannot be forced' : 'must be forced';
  return { error: conflict(`conflict: unable to delete ${shortId(id)} (${force}) - ${why}`), isUsed };
}
