import type { Database } from './database.ts';

/** That a step with this key made this image. */
export interface CacheRow {
  readonly key: string;
  readonly imageId: string;
  readonly createdMs: number;
  readonly usedMs: number;
  readonly uses: number;
}

/** Rows of the build cache; they go with their images. Changes run in the caller's transaction. */
export class CacheRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  all(): readonly CacheRow[] {
    return this.#database.all('SELECT * FROM build_cache').map((row) => ({
      key: String(row['key']),
      imageId: String(row['image_id']),
      createdMs: Number(row['created']),
      usedMs: Number(row['used']),
      uses: Number(row['uses']),
    }));
  }

  imageOf(key: string): string | undefined {
    const row = this.#database.get('SELECT image_id FROM build_cache WHERE key = ?', key);
    return row === undefined ? undefined : String(row['image_id']);
  }

  put(key: string, imageId: string, nowMs: number): void {
    this.#database.run(
      `INSERT INTO build_cache (key, image_id, created, used, uses) VALUES (?, ?, ?, ?, 0)
       ON CONFLICT (key) DO UPDATE SET image_id = excluded.image_id, created = excluded.created, used = excluded.used`,
      key,
      imageId,
      nowMs,
      nowMs,
    );
  }

  /** Not waiting for the disk: it only decides what goes first. */
  use(keys: readonly string[], nowMs: number): void {
    this.#database.relaxed(() => {
      for (const key of keys) this.#database.run('UPDATE build_cache SET used = ?, uses = uses + 1 WHERE key = ?', nowMs, key);
    });
  }

  removeOf(imageId: string): void {
    this.#database.run('DELETE FROM build_cache WHERE image_id = ?', imageId);
  }
}

/** Builds that are over. Not waiting for the disk: what a power cut takes is a log, and no image. */
export class BuildRecordRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  documents(): readonly { readonly id: string; readonly document: string }[] {
    const rows = this.#database.all('SELECT id, document FROM build_history');
    return rows.map(({ id, document }) => ({ id: String(id), document: String(document) }));
  }

  /** As it was put; undefined: there is no such build. */
  log(id: string): Buffer | undefined {
    const log = this.#database.get('SELECT log FROM build_history WHERE id = ?', id)?.['log'];
    return log instanceof Uint8Array ? Buffer.from(log) : undefined;
  }

  put(id: string, document: string, log: Buffer): void {
    this.#database.relaxed(() =>
      this.#database.run('INSERT OR REPLACE INTO build_history (id, document, log) VALUES (?, ?, ?)', id, document, log),
    );
  }

  change(id: string, document: string): void {
    this.#database.run('UPDATE build_history SET document = ? WHERE id = ?', document, id);
  }

  remove(ids: readonly string[]): void {
    this.#database.relaxed(() => {
      for (const id of ids) this.#database.run('DELETE FROM build_history WHERE id = ?', id);
    });
  }
}
