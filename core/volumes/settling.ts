/** Between `ensure` and `reference` a volume looks unused; a prune leaves it alone for so long. */
const settlingMs = 60_000;

/** Volumes that a container which is being made is about to refer to. */
export class Settling {
  readonly #since = new Map<string, number>();

  begin(name: string): void {
    this.#since.set(name, performance.now());
  }

  end(name: string): void {
    this.#since.delete(name);
  }

  has(name: string): boolean {
    const since = this.#since.get(name);
    if (since === undefined) return false;
    if (performance.now() - since < settlingMs) return true;
    this.#since.delete(name);
    return false;
  }
}
