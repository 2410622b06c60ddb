import type { Target } from '../metadata/index.ts';

/**
 * Which reference means which image, in memory. One that means an index means all images of it that are here, one for each platform: the
 * first of them is the one that is meant where nobody says a platform.
 */
export class Names {
  readonly #targets = new Map<string, Target>();
  readonly #ofImage = new Map<string, Set<string>>();
  readonly #ofIndex = new Map<string, Set<string>>();
  readonly #imagesIn = new Map<string, readonly string[]>();
  readonly #indexesOf = new Map<string, Set<string>>();

  constructor(targets: ReadonlyMap<string, Target>, indexes: ReadonlyMap<string, readonly string[]>) {
    for (const [digest, images] of indexes) this.setImages(digest, images);
    for (const [reference, target] of targets) this.set(reference, target);
  }

  targetOf(reference: string): Target | undefined {
    return this.#targets.get(reference);
  }

  /** The preferred one first; none: nobody is called that. */
  imagesOf(reference: string): readonly string[] {
    const target = this.#targets.get(reference);
    return target === undefined ? [] : this.imagesAt(target);
  }

  imagesAt(target: Target): readonly string[] {
    return 'image' in target ? [target.image] : this.imagesIn(target.index);
  }

  /** Of an index, those that are here. */
  imagesIn(index: string): readonly string[] {
    return this.#imagesIn.get(index) ?? [];
  }

  indexesOf(image: string): ReadonlySet<string> {
    return this.#indexesOf.get(image) ?? none;
  }

  /** Sorted; those of its indexes too. */
  of(image: string): readonly string[] {
    const all = new Set(this.#ofImage.get(image));
    for (const index of this.indexesOf(image)) for (const reference of this.#ofIndex.get(index) ?? none) all.add(reference);
    return [...all].toSorted();
  }

  all(): Iterable<string> {
    return this.#targets.keys();
  }

  /** Indexes that no reference means any more. */
  removeUnnamedIndexes(): void {
    for (const index of this.#imagesIn.keys()) if (!this.#ofIndex.has(index)) this.setImages(index, []);
  }

  set(reference: string, target: Target): void {
    this.remove(reference);
    this.#targets.set(reference, target);
    if ('image' in target) addTo(this.#ofImage, target.image, reference);
    else addTo(this.#ofIndex, target.index, reference);
  }

  remove(reference: string): void {
    const target = this.#targets.get(reference);
    if (target === undefined) return;
    this.#targets.delete(reference);
    if ('image' in target) removeFrom(this.#ofImage, target.image, reference);
    else removeFrom(this.#ofIndex, target.index, reference);
  }

  /** None: the index goes, and with it the references to it. */
  setImages(index: string, images: readonly string[]): void {
    for (const image of this.imagesIn(index)) removeFrom(this.#indexesOf, image, index);
    for (const image of images) addTo(this.#indexesOf, image, index);
    if (images.length > 0) this.#imagesIn.set(index, images);
    else {
      for (const reference of this.#ofIndex.get(index) ?? none) this.remove(reference);
      this.#imagesIn.delete(index);
    }
  }

  /** An image is gone: what meant nothing else means nothing. */
  forget(image: string): void {
    for (const index of this.indexesOf(image)) {
      const left = this.imagesIn(index).filter((each) => each !== image);
      this.setImages(index, left);
    }
    for (const reference of this.#ofImage.get(image) ?? none) this.remove(reference);
  }
}

const none: ReadonlySet<string> = new Set();

function addTo(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
