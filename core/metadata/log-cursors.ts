import type { Database } from './database.ts';

/** How far a container's output got, in the log room's own words. */
export type LogCursorDocument = Readonly<Record<string, unknown>>;

const flushAfterMs = 1_000;

/**
 * Cursors of all containers: kept in memory, written together at most once a second without waiting for the disk. What is lost in a crash
 * is sent again and dropped by the driver.
 */
export class LogCursors implements Disposable {
  readonly #database: Database;
  readonly #changed = new Map<string, LogCursorDocument>();
  #timer: NodeJS.Timeout | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  get(containerId: string): LogCursorDocument | undefined {
    const changed = this.#changed.get(containerId);
    if (changed !== undefined) return changed;
    const row = this.#database.get('SELECT document FROM log_cursors WHERE container_id = ?', containerId);
    return row === undefined ? undefined : (JSON.parse(String(row['document'])) as LogCursorDocument);
  }

  set(containerId: string, document: LogCursorDocument): void {
    this.#changed.set(containerId, document);
    this.#timer ??= setTimeout(() => this.flush(), flushAfterMs).unref();
  }

  /** Writes everything that changed, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#changed.size === 0) return;
    this.#database.relaxed(() => {
      for (const [containerId, document] of this.#changed) {
        this.#database.run(
          'INSERT INTO log_cursors (container_id, document) VALUES (?, ?) ON CONFLICT (container_id) DO UPDATE SET document = excluded.document',
          containerId,
          JSON.stringify(document),
        );
      }
    });
    this.#changed.clear();
  }

  remove(containerId: string): void {
    this.#changed.delete(containerId);
    this.#database.relaxed(() => this.#database.run('DELETE FROM log_cursors WHERE container_id = ?', containerId));
  }

  [Symbol.dispose](): void {
    this.flush();
  }
}
