import { readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { conflict, dataLoss, exhausted, fromErrno, invalidArgument, messageOf } from '../errors.ts';
import type { StateEntry, StateStore } from '../plugin.ts';

type Writes = Parameters<StateStore['put']>[0];
interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const longestState = 16 * 1024 * 1024;

/**
 * A plugin's state in one file, with the engine's limits and its compare-and-set. The file is replaced as a whole, and synced with its folder,
 * before a write resolves; writes that come meanwhile go into the next replacement together. One process at a time.
 */
export class FileState implements StateStore {
  readonly #path: string;
  readonly #entries: Map<string, StateEntry>;
  #waiting: Waiting[] = [];
  #isWriting = false;

  private constructor(path: string, entries: Map<string, StateEntry>) {
    this.#path = path;
    this.#entries = entries;
  }

  /** No file is an empty state; one that cannot be read is `data_loss`, and stays as it is. */
  static open(path: string): FileState {
    return new FileState(path, entriesIn(path));
  }

  async get(key: string): Promise<StateEntry | undefined> {
    return this.#entries.get(key);
  }

  async list(prefix: string): Promise<readonly StateEntry[]> {
    return [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix)).toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** A failure to write leaves the state as the file has it. */
  async put(writes: Writes): Promise<void> {
    for (const write of writes) this.#check(write);
    const before = writes.map(({ key }) => [key, this.#entries.get(key)] as const);
    for (const { key, value } of writes) {
      if (value === undefined) this.#entries.delete(key);
      else this.#entries.set(key, { key, value, revision: (this.#entries.get(key)?.revision ?? 0) + 1 });
    }
    try {
      await this.#written();
    } catch (error) {
      for (const [key, entry] of before) {
        if (entry === undefined) this.#entries.delete(key);
        else this.#entries.set(key, entry);
      }
      throw fromErrno(error, `write ${this.#path}`);
    }
  }

  #check({ key, value = '', expectedRevision }: Writes[number]): void {
    if (key === '' || Buffer.byteLength(key) > 256) throw invalidArgument(`state key of ${Buffer.byteLength(key)} bytes; 1 to 256`);
    if (Buffer.byteLength(value) > 65_536) throw invalidArgument(`state value of ${key} is longer than 65536 bytes`);
    const revision = this.#entries.get(key)?.revision ?? 0;
    if (expectedRevision !== undefined && expectedRevision !== revision)
      throw conflict(`state ${key} is at revision ${revision}, not ${expectedRevision}`);
  }

  /** Resolves when a replacement that was begun after this call is on the disk. */
  #written(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ resolve, reject });
    if (!this.#isWriting) void this.#replaceWhileAsked();
    return promise;
  }

  /** Never rejects: who asked is told. */
  async #replaceWhileAsked(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const asked = this.#waiting;
      this.#waiting = [];
      try {
        await this.#replace(JSON.stringify({ version: 1, entries: [...this.#entries.values()] }));
        for (const { resolve } of asked) resolve();
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
    }
    this.#isWriting = false;
  }

  async #replace(text: string): Promise<void> {
    if (text.length > longestState) throw exhausted(`a state of more than ${longestState} bytes`);
    const temporary = `${this.#path}.tmp`;
    try {
      await using file = await open(temporary, 'w', 0o600);
      await file.writeFile(text);
      await file.sync();
      await rename(temporary, this.#path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await using folder = await open(dirname(this.#path));
    await folder.sync();
  }
}

function entriesIn(path: string): Map<string, StateEntry> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map();
    throw fromErrno(error, `read ${path}`);
  }
  try {
    const { version, entries } = JSON.parse(text) as { readonly version: number; readonly entries: readonly StateEntry[] };
    if (version !== 1) throw new Error(`version ${version} is not known here`);
    return new Map(entries.map((entry) => [entry.key, entry]));
  } catch (error) {
    throw dataLoss(`${path} cannot be read: ${messageOf(error)}`, { cause: error, hint: 'restore it, or delete it to begin anew' });
  }
}
