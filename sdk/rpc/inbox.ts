/** Items until the end, one reader. */
export class Inbox implements AsyncIterable<Uint8Array> {
  readonly #items: Uint8Array[] = [];
  #ended: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(bytes: Uint8Array): void {
    this.#items.push(bytes);
    this.#wake?.();
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  end(error?: unknown): void {
    this.#ended ??= { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else if (this.#ended !== undefined) {
        if (this.#ended.error === undefined) return;
        // An abort's reason is whatever the caller gave.
        throw this.#ended.error as Error;
      } else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
