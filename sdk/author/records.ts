import { createHash } from 'node:crypto';
import { aborted, codeOf, dataLoss } from '../errors.ts';
import type { StateStore } from '../plugin.ts';

/**
 * Typed durable records in the plugin's state, by id. Every change is a compare-and-set, so that two generations of a plugin that run
 * side by side never overwrite each other.
 */
export class Records<Value> {
  readonly #state: StateStore;
  readonly #prefix: string;

  constructor(state: StateStore, prefix: string) {
    this.#state = state;
    this.#prefix = prefix;
  }

  async get(id: string): Promise<Value | undefined> {
    const entry = await this.#state.get(this.#key(id));
    return entry === undefined ? undefined : this.#read(entry.key, entry.value).value;
  }

  /** By id, sorted by key. */
  async list(): Promise<readonly { readonly id: string; readonly value: Value }[]> {
    return (await this.#state.list(this.#prefix)).map(({ key, value }) => this.#read(key, value));
  }

  /**
   * Replaces a record by what `change` answers, `undefined` deletes it; what it answers unchanged costs no write. `change` is asked again
   * when somebody else was faster. With `relaxed` a power cut may take the change.
   */
  async update(
    id: string,
    change: (old: Value | undefined) => Value | undefined,
    options: { readonly relaxed?: boolean } = {},
  ): Promise<Value | undefined> {
    const key = this.#key(id);
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const entry = await this.#state.get(key);
      const old = entry === undefined ? undefined : this.#read(key, entry.value).value;
      const next = change(old);
      if (next === old) return next;
      const value = next === undefined ? undefined : JSON.stringify({ id, value: next });
      try {
        await this.#state.put([{ key, value, expectedRevision: entry?.revision ?? 0 }], options);
        return next;
      } catch (error) {
        if (codeOf(error) !== 'conflict') throw error;
      }
    }
    throw aborted(`record ${id} is changed by others all the time`, { reason: 'STATE_CONTENDED' });
  }

  /** What `id` holds becomes what `name` holds, in one transaction. */
  async move(id: string, name: string, value: Value): Promise<void> {
    const put = { key: this.#key(name), value: JSON.stringify({ id: name, value }) };
    await this.#state.put(id === name ? [put] : [{ key: this.#key(id), value: undefined }, put]);
  }

  /** Deletes in one transaction. */
  async remove(...ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#state.put(ids.map((id) => ({ key: this.#key(id), value: undefined })));
  }

  /** Keys of the state have at most 256 bytes: long ids go by their digest, and stand in the record. */
  #key(id: string): string {
    return Buffer.byteLength(id) <= 128 ? `${this.#prefix}${id}` : `${this.#prefix}#${createHash('sha256').update(id).digest('hex')}`;
  }

  #read(key: string, text: string): { readonly id: string; readonly value: Value } {
    try {
      return JSON.parse(text) as { readonly id: string; readonly value: Value };
    } catch (error) {
      throw dataLoss(`state ${key} cannot be read`, { cause: error, reason: 'STATE_DAMAGED' });
    }
  }
}
