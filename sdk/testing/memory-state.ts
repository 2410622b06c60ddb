import { conflict, invalidArgument } from '../errors.ts';
import type { StateEntry, StateStore } from '../plugin.ts';

/** A plugin's state in memory, with the engine's limits and its compare-and-set. */
export class MemoryState implements StateStore {
  readonly #entries = new Map<string, StateEntry>();
  /** While it is set, every write fails with it. */
  failure: Error | undefined;

  async get(key: string): Promise<StateEntry | undefined> {
    return this.#entries.get(key);
  }

  async put(writes: Parameters<StateStore['put']>[0]): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    for (const { key, value, expectedRevision } of writes) {
      if (key === '' || Buffer.byteLength(key) > 256) throw invalidArgument(`state key of ${Buffer.byteLength(key)} bytes; 1 to 256`);
      if (Buffer.byteLength(value ?? '') > 65_536) throw invalidArgument(`state value of ${key} is longer than 65536 bytes`);
      const revision = this.#entries.get(key)?.revision ?? 0;
      if (expectedRevision !== undefined && expectedRevision !== revision)
        throw conflict(`state ${key} is at revision ${revision}, not ${expectedRevision}`);
    }
    for (const { key, value } of writes) {
      if (value === undefined) this.#entries.delete(key);
      else this.#entries.set(key, { key, value, revision: (this.#entries.get(key)?.revision ?? 0) + 1 });
    }
  }

  async list(prefix: string): Promise<readonly StateEntry[]> {
    return [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix)).toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }
}
