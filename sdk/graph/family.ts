/** Which snapshots lie directly on which, for whoever must not remove a parent before its children. */
export class Family {
  readonly #parentOf = new Map<string, string>();
  readonly #childrenOf = new Map<string, Set<string>>();

  /** Without a parent it lies on nothing; a second call moves it. */
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
