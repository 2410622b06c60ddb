import { dataLoss } from '@gantry/sdk';
import type { Database, Row } from './database.ts';

/** Rows of containers; what is in the documents is the life cycle's affair. */
export interface ContainerRow<Document, State> {
  readonly id: string;
  readonly name: string;
  /** What a user decides. */
  readonly document: Document;
  /** What happens to it. */
  readonly state: State;
}
/** A removal that was acknowledged or begun: the document is enough to finish it. */
export interface RemovalRow<Document> {
  readonly id: string;
  readonly document: Document;
}

/**
 * Insert, decisions and removals are durable when the call returns. States are what the monitor's files and the kernel tell again, so a
 * power cut may take their last changes unless the caller wants them durable; a crash of the engine may not.
 */
export class ContainerRows<Document, State, Removal> {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  all(): readonly ContainerRow<Document, State>[] {
    return this.#database.all('SELECT id, name, document, state FROM containers').map((row) => ({
      id: text(row, 'id'),
      name: text(row, 'name'),
      document: parsed<Document>(row, 'document'),
      state: parsed<State>(row, 'state'),
    }));
  }

  insert({ id, name, document, state }: ContainerRow<Document, State>): void {
    this.#database.transaction(() =>
      this.#database.run(
        'INSERT INTO containers (id, name, document, state) VALUES (?, ?, ?, ?)',
        id,
        name,
        JSON.stringify(document),
        JSON.stringify(state),
      ),
    );
  }

  /** As `putDecision`: written when the call returns, durable when it resolves. */
  async putDecisionAside(row: Pick<ContainerRow<Document, State>, 'id' | 'name' | 'document'>): Promise<void> {
    await this.#database.lasting(() => this.putDecision(row));
  }

  putDecision({ id, name, document }: Pick<ContainerRow<Document, State>, 'id' | 'name' | 'document'>): void {
    this.#database.transaction(() =>
      this.#database.run('UPDATE containers SET name = ?, document = ? WHERE id = ?', name, JSON.stringify(document), id),
    );
  }

  putState(id: string, state: State, { isDurable = false }: { readonly isDurable?: boolean } = {}): void {
    const put = () => this.#database.run('UPDATE containers SET state = ? WHERE id = ?', JSON.stringify(state), id);
    if (isDurable) this.#database.transaction(put);
    else this.#database.relaxed(put);
  }

  /** From here the container does not exist; what is left of it is to be taken away. */
  beginRemoval({ id, document }: RemovalRow<Removal>): void {
    this.#database.transaction(() => {
      this.#database.run('DELETE FROM containers WHERE id = ?', id);
      this.#database.run(
        "INSERT OR REPLACE INTO intents (id, kind, key, document, created) VALUES (?, 'container.remove', ?, ?, ?)",
        `container.remove ${id}`,
        id,
        JSON.stringify(document),
        Date.now(),
      );
    });
  }

  endRemoval(id: string): void {
    this.#database.relaxed(() => this.#database.run('DELETE FROM intents WHERE id = ?', `container.remove ${id}`));
  }

  removals(): readonly RemovalRow<Removal>[] {
    return this.#database
      .all("SELECT key AS id, document FROM intents WHERE kind = 'container.remove'")
      .map((row) => ({ id: text(row, 'id'), document: parsed<Removal>(row, 'document') }));
  }

  /** Containers that other rooms have rows of and this one has not: what a crash in the middle of a create left. */
  orphans(): readonly string[] {
    const rows = this.#database.all(
      'SELECT container_id FROM rw_layers UNION SELECT container_id FROM volume_refs EXCEPT SELECT id FROM containers EXCEPT SELECT key FROM intents',
    );
    return rows.map((row) => text(row, 'container_id'));
  }

  /** Volumes that these rows say a container refers to. */
  volumesOf(id: string): readonly string[] {
    return this.#database.all('SELECT name FROM volume_refs WHERE container_id = ?', id).map((row) => text(row, 'name'));
  }
}

function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw dataLoss(`containers: column ${column} holds ${JSON.stringify(value)}`);
  return value;
}

function parsed<T>(row: Row, column: string): T {
  try {
    return JSON.parse(text(row, column)) as T;
  } catch (error) {
    throw dataLoss(`containers: ${column} of ${String(row['id'])} is no JSON`, { cause: error });
  }
}
