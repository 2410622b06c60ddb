import { chmodSync, closeSync, constants, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { conflict, fromErrno, internal } from '@gantry/sdk';
import { isDiskFull, translated } from './disk-errors.ts';
import { Log } from './log.ts';
import { Reserve } from './reserve.ts';
import { migrations } from './schema.ts';

export type Row = Readonly<Record<string, string | number | null | Uint8Array>>;

/**
 * The one connection. Calls are synchronous and short; a transaction never spans an await. `run` in `transaction` is durable when
 * `transaction` returns; `relaxed` transactions may be lost in a power cut (not in a crash of the engine) and are for what can be
 * found out again: process ids, exit codes that the monitor wrote down, log cursors.
 */
export class Database implements Disposable {
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #reserve: Reserve;
  readonly #log: Log;
  #depth = 0;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#reserve = new Reserve(`${path}.reserve`);
    // Opening alone needs room for the log's index: without it SQLite fails, or dies of SIGBUS.
    if (this.#reserve.isScarce) this.#reserve.giveUp();
    try {
      closeToOthers(path);
      this.#connection = new DatabaseSync(path);
      this.#connection.exec(
        // NORMAL: SQLite itself waits for the disk at checkpoints alone; what is to be durable waits for the log here.
        'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=2000; PRAGMA cache_size=-2000;',
      );
      this.#log = new Log(`${path}-wal`);
    } catch (error) {
      throw fromErrno(error, `open metadata store ${path}`);
    }
    this.#migrate(path);
    this.#reserve.take();
  }

  /** Changes rows; the number changed. Outside of a transaction it is one of its own. */
  run(sql: string, ...values: readonly SQLInputValue[]): number {
    const change = (): number => Number(this.#prepare(sql).run(...values).changes);
    return this.#depth > 0 ? change() : this.transaction(change);
  }

  get(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values) as Row | undefined;
  }

  all(sql: string, ...values: readonly SQLInputValue[]): readonly Row[] {
    return this.#prepare(sql).all(...values) as Row[];
  }

  /** All or nothing, durable when it returns. Nested calls join the outer transaction. */
  transaction<T>(work: () => T): T {
    return this.#transact(work, true);
  }

  /** As `transaction`, without waiting for the disk. */
  relaxed<T>(work: () => T): T {
    return this.#transact(work, false);
  }

  /** As `transaction`; it is done when the call returns, and durable when the promise resolves: this thread has other things to do meanwhile. */
  async lasting<T>(work: () => T): Promise<T> {
    if (this.#depth > 0) throw internal('lasting() inside a transaction');
    const result = this.#transact(work, false);
    await this.#log.syncAside();
    return result;
  }

  /** What SQLite finds wrong with its own file; nothing: it is whole. */
  problems(): readonly string[] {
    const integrity = this.#connection
      .prepare('PRAGMA integrity_check(20)')
      .all()
      .map((row) => String(row['integrity_check']));
    const references = this.#connection.prepare('PRAGMA foreign_key_check').all();
    return [
      ...integrity.filter((line) => line !== 'ok'),
      ...references.map((row) => `a row of ${String(row['table'])} refers to one of ${String(row['parent'])} that is not there`),
    ];
  }

  /** As `transaction`; what it deletes or replaces is in no file afterwards. For secrets: more is written, and the log is emptied. */
  forgetting<T>(work: () => T): T {
    if (this.#depth > 0) throw internal('forgetting() inside a transaction');
    this.#connection.exec('PRAGMA secure_delete=ON');
    try {
      return this.transaction(work);
    } finally {
      this.#connection.exec('PRAGMA secure_delete=OFF');
      this.#checkpoint('TRUNCATE');
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#connection.close();
    this.#log[Symbol.dispose]();
  }

  #transact<T>(work: () => T, durable: boolean): T {
    if (this.#depth > 0) return work();
    this.#log.mustBeWhole();
    try {
      const result = this.#retryWithRoom(() => this.#transactOnce(work));
      if (durable) this.#log.sync();
      return result;
    } catch (error) {
      throw translated(error);
    }
  }

  /**
   * On a full disk stops and removals must still be recorded: first the log is begun anew in the blocks that it has, then the reserve is
   * given up. It is taken again when there is plenty of room.
   */
  #retryWithRoom<T>(work: () => T): T {
    try {
      const result = work();
      this.#reserve.take();
      return result;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
    this.#checkpoint('RESTART');
    try {
      return work();
    } catch (error) {
      if (!isDiskFull(error) || !this.#reserve.giveUp()) throw error;
    }
    this.#checkpoint('RESTART');
    return work();
  }

  #checkpoint(mode: 'RESTART' | 'TRUNCATE'): void {
    try {
      this.#connection.exec(`PRAGMA wal_checkpoint(${mode})`);
    } catch {
      // The database itself may have to grow, for which there is no room either.
    }
  }

  #transactOnce<T>(work: () => T): T {
    this.#connection.exec('BEGIN IMMEDIATE');
    this.#depth += 1;
    try {
      const result = work();
      this.#connection.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite may have rolled back by itself, as on a full disk.
      if (this.#connection.isTransaction) this.#connection.exec('ROLLBACK');
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #migrate(path: string): void {
    const version = Number(this.get('PRAGMA user_version')?.['user_version'] ?? 0);
    if (version === migrations.length) return;
    if (version > migrations.length) {
      throw conflict(`${path} was written by a newer version (schema ${version}, this one knows ${migrations.length})`, {
        hint: 'start the newer gantry again, or use another --data-root',
      });
    }
    this.transaction(() => {
      for (const migration of migrations.slice(version)) this.#connection.exec(migration);
      this.#connection.exec(`PRAGMA user_version=${migrations.length}`);
    });
  }
}

/** It holds secrets of plugins. SQLite gives its log and index the mode of the database itself. */
function closeToOthers(path: string): void {
  closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600));
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o077) !== 0) chmodSync(file, 0o600);
  }
}
