import { conflict, type GantryError } from '@gantry/sdk';
import type { DeletedImage } from '@gantry/sdk/engine';
import { shortId } from '../support/index.ts';
import { canonicalText, familiarText, parseReference, type Reference, repositoryOf } from './reference.ts';
import { imageFor } from './resolve.ts';
import type { Resolved } from './store.ts';
import type { Parts } from './types.ts';

export interface RemoveOptions {
  /** Although stopped containers use it, or several names mean it. */
  readonly force: boolean;
  /** Also parents that nothing else needs. */
  readonly prune: boolean;
  /** Of an image that is meant by a name only the name goes. */
  readonly keepsImage?: boolean;
  /** Of the images that a name has only those for these go, and the name with the last. */
  readonly platforms?: readonly string[] | undefined;
}
/** What forbids a removal, beside running containers and children. */
interface Counting {
  readonly stopped: boolean;
  /** Any of them does. */
  readonly names: readonly string[];
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
    const { store } = this.#parts;
    const images = reference === undefined ? [row.id] : store.imagesOf(canonicalText(reference));
    const chosen = this.#chosen(images, reference === undefined ? row.id : familiarText(reference));
    if (chosen.length < images.length) for (const id of chosen) this.#addOne(id);
    else if (reference !== undefined) this.#addByName(images, reference);
    else if (this.#names(row.id).length === 0 || store.ledBy(row.id).length > 0) this.#addById(row.id);
    else this.#addOne(row.id);
  }

  /** For the platforms that are asked for; all of them when none is. */
  #chosen(images: readonly string[], given: string): readonly string[] {
    const { platforms } = this.#options;
    if (platforms === undefined || platforms.length === 0) return images;
    return [...new Set(platforms.map((platform) => imageFor(this.#parts.store, { images, given, platform })))];
  }

  /** One of several platforms: the names stay with the others. */
  #addOne(id: string): void {
    const { force } = this.#options;
    const own = this.#ownNames(id);
    const repositories = new Set(this.#names(id).flatMap((text) => (own.includes(text) ? [] : [repositoryOf(parseReference(text))])));
    const others = own.filter((text) => !text.includes('@') || !repositories.has(repositoryOf(parseReference(text))));
    this.#mayGo(id, { stopped: !force, names: force ? [] : others });
    this.#take(id);
  }

  /** An id that is listed stands for what its names mean: all platforms. */
  #addById(id: string): void {
    const { force } = this.#options;
    const names = this.#names(id);
    const [, ...others] = this.#imagesOf([id], this.#parts.store.ledBy(id));
    this.#mayGo(id, { stopped: !force, names: force || isSingleName(names) ? [] : names });
    for (const other of others) this.#mayGo(other, { stopped: !force, names: [] });
    const led = names.filter((text) => this.#parts.store.imageOf(text) === id);
    this.#unname(led);
    this.#take(id);
    const repositories = new Set(led.map((text) => repositoryOf(parseReference(text))));
    for (const other of others) for (const repository of repositories) this.#unname(this.#digestsAlone(other, repository));
    this.#removeNameless(others);
  }

  #addByName(images: readonly string[], reference: Reference): void {
    for (const id of images) {
      const [user] = this.#options.force || !isSingleName(this.#names(id)) ? [] : this.#parts.users().usersOf(id);
      if (user === undefined) continue;
      const using = `container ${shortId(user.id)} is using its referenced image ${shortId(id)}`;
      throw conflict(`conflict: unable to delete ${familiarText(reference)} (must be forced) - ${using}`);
    }
    this.#unname([canonicalText(reference)]);
    const digests = reference.digest === undefined ? images.flatMap((id) => this.#digestsAlone(id, repositoryOf(reference))) : [];
    const concerned = this.#imagesOf(images, digests);
    this.#unname([...new Set(digests)]);
    if (this.#options.keepsImage !== true) this.#removeNameless(concerned);
  }

  #removeNameless(images: readonly string[]): void {
    for (const id of images) {
      const isNameless = this.#names(id).length === 0 && !this.removed.has(id);
      if (isNameless) this.#removeIfFree(id, this.#options);
    }
  }

  /** The last tag of a repository takes the digests of the same repository along. */
  #digestsAlone(id: string, repository: string): readonly string[] {
    const same = this.#names(id).filter((text) => repositoryOf(parseReference(text)) === repository);
    return same.every((text) => text.includes('@')) ? same : [];
  }

  /** These, and whatever else these names mean. */
  #imagesOf(images: readonly string[], references: readonly string[]): readonly string[] {
    return [...new Set([...images, ...references.flatMap((reference) => this.#parts.store.imagesOf(reference))])];
  }

  #unname(references: readonly string[]): void {
    for (const text of references) {
      this.unnamed.add(text);
      this.records.push({ untagged: familiarText(parseReference(text)) });
    }
  }

  /** Where nothing forbids it. */
  #removeIfFree(id: string, { force }: { readonly force: boolean }): void {
    const refusal = this.#refusal(id, { stopped: !force, names: force ? [] : this.#names(id) });
    if (refusal === undefined) return this.#take(id);
    const isDangling = this.#names(id).length === 0 && this.#children(id).length === 0;
    if (isDangling && !refusal.isUsed) throw refusal.error;
  }

  #mayGo(id: string, counts: Counting): void {
    const refusal = this.#refusal(id, counts);
    if (refusal !== undefined) throw refusal.error;
  }

  #take(id: string): void {
    this.#unname(this.#ownNames(id));
    this.removed.add(id);
    this.records.push({ deleted: id });
    const { parent } = this.#parts.store.get(id);
    const isLeft = this.#parts.store.find(parent) !== undefined && !this.removed.has(parent);
    if (this.#options.prune && isLeft) this.#removeIfFree(parent, { force: false });
  }

  #refusal(id: string, counts: Counting): Refusal | undefined {
    if (this.#children(id).length > 0) return refuse(id, 'image has dependent child images', { isHard: true, isUsed: false });
    const users = this.#parts.users().usersOf(id);
    const running = users.find((user) => user.running);
    if (running !== undefined) {
      return refuse(id, `image is being used by running container ${shortId(running.id)}`, { isHard: true, isUsed: true });
    }
    if (counts.names.length > 0) {
      return refuse(id, 'image is referenced in multiple repositories', { isHard: false, isUsed: false });
    }
    const [stopped] = counts.stopped ? users : [];
    if (stopped === undefined) return undefined;
    return refuse(id, `image is being used by stopped container ${shortId(stopped.id)}`, { isHard: false, isUsed: true });
  }

  #names(id: string): readonly string[] {
    return this.#parts.store.referencesOf(id).filter((text) => !this.unnamed.has(text));
  }

  /** Those that mean nothing without it. */
  #ownNames(id: string): readonly string[] {
    return this.#names(id).filter((text) => this.#parts.store.imagesOf(text).every((each) => each === id || this.removed.has(each)));
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
