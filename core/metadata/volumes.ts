import type { Database } from './database.ts';

/** Rows of volumes, of who refers to them, and of what is mounted; the documents are the volumes room's affair. */
export interface VolumeRow<Document> {
  readonly name: string;
  readonly driver: string;
  readonly document: Document;
}
export interface VolumeAttachmentRow<Document> {
  readonly containerId: string;
  readonly name: string;
  readonly document: Document;
}
export type VolumeIntent = 'volume.create' | 'volume.remove' | 'volume.rename';
export interface IntendedVolume {
  readonly kind: VolumeIntent;
  readonly name: string;
  readonly driver: string;
  /** The new name, of a rename. */
  readonly to?: string;
}

/**
 * Volumes, references and intents are durable when the call returns. Attachments describe what is mounted, so a power cut may take their
 * last changes; a crash of the engine may not.
 */
export class VolumeRows<Document, AttachmentDocument> {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  all(): readonly VolumeRow<Document>[] {
    return this.#database
      .all('SELECT name, driver, document FROM volumes ORDER BY name')
      .map((row) => ({ name: String(row['name']), driver: String(row['driver']), document: parsed<Document>(row['document']) }));
  }

  /** Records a driver call before it is made; its outcome takes the intent away. */
  intend({ kind, name, driver, to }: IntendedVolume): void {
    this.#database.transaction(() =>
      this.#database.run(
        'INSERT OR REPLACE INTO intents (id, kind, key, document, created) VALUES (?, ?, ?, ?, ?)',
        `${kind}:${name}`,
        kind,
        name,
        JSON.stringify({ driver, ...(to === undefined ? {} : { to }) }),
        Date.now(),
      ),
    );
  }

  intents(): readonly IntendedVolume[] {
    return this.#database.all(`SELECT kind, key, document FROM intents WHERE kind IN (${kinds})`).map((row) => ({
      kind: String(row['kind']) as VolumeIntent,
      name: String(row['key']),
      ...parsed<{ driver: string; to?: string }>(row['document']),
    }));
  }

  /** `secrets` are kept apart and are no part of any row; those of a volume stay unless others are given. */
  put({ name, driver, document, secrets }: VolumeRow<Document> & { readonly secrets?: Readonly<Record<string, string>> }): void {
    this.#database.transaction(() => {
      this.#database.run(
        'INSERT INTO volumes (name, driver, document) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET driver = excluded.driver, document = excluded.document',
        name,
        driver,
        JSON.stringify(document),
      );
      if (secrets !== undefined && Object.keys(secrets).length > 0)
        this.#database.run('INSERT OR REPLACE INTO volume_secrets (name, document) VALUES (?, ?)', name, JSON.stringify(secrets));
      this.#forgetIntents(name);
    });
  }

  /** The same volume under another name, and the end of the intent to do that. Nobody refers to it. */
  move(from: string, { name, driver, document }: VolumeRow<Document>): void {
    this.#database.transaction(() => {
      const secrets = this.secrets(from);
      this.remove(from);
      this.put({ name, driver, document, secrets });
    });
  }

  /** The intents of a volume alone: what was begun has not been done. */
  forget(name: string): void {
    this.#database.transaction(() => this.#forgetIntents(name));
  }

  /** For the volume's driver, and nobody else. */
  secrets(name: string): Readonly<Record<string, string>> {
    const row = this.#database.get('SELECT document FROM volume_secrets WHERE name = ?', name);
    return row === undefined ? {} : parsed(row['document']);
  }

  /** The row and the intents of a volume; unknown: only the intents. */
  remove(name: string): void {
    this.#database.transaction(() => {
      this.#database.run('DELETE FROM volumes WHERE name = ?', name);
      this.#database.run('DELETE FROM volume_secrets WHERE name = ?', name);
      this.#forgetIntents(name);
    });
  }

  /** Takes part in a transaction that is under way. */
  refer(containerId: string, name: string): void {
    this.#database.transaction(() =>
      this.#database.run('INSERT OR IGNORE INTO volume_refs (container_id, name) VALUES (?, ?)', containerId, name),
    );
  }

  /** All references of the container without a name. */
  unrefer(containerId: string, name?: string): void {
    this.#database.transaction(() =>
      name === undefined
        ? this.#database.run('DELETE FROM volume_refs WHERE container_id = ?', containerId)
        : this.#database.run('DELETE FROM volume_refs WHERE container_id = ? AND name = ?', containerId, name),
    );
  }

  users(name: string): readonly string[] {
    return this.#database
      .all('SELECT container_id FROM volume_refs WHERE name = ? ORDER BY container_id', name)
      .map((row) => String(row['container_id']));
  }

  /** Names of the volumes that somebody refers to, with how many do. */
  used(): ReadonlyMap<string, number> {
    const rows = this.#database.all('SELECT name, count(*) AS users FROM volume_refs GROUP BY name');
    return new Map(rows.map((row) => [String(row['name']), Number(row['users'])]));
  }

  attachments(name?: string): readonly VolumeAttachmentRow<AttachmentDocument>[] {
    const rows =
      name === undefined
        ? this.#database.all('SELECT container_id, name, document FROM volume_attachments')
        : this.#database.all('SELECT container_id, name, document FROM volume_attachments WHERE name = ?', name);
    return rows.map((row) => ({
      containerId: String(row['container_id']),
      name: String(row['name']),
      document: parsed<AttachmentDocument>(row['document']),
    }));
  }

  putAttachment({ containerId, name, document }: VolumeAttachmentRow<AttachmentDocument>): void {
    this.#database.relaxed(() =>
      this.#database.run(
        'INSERT OR REPLACE INTO volume_attachments (container_id, name, document) VALUES (?, ?, ?)',
        containerId,
        name,
        JSON.stringify(document),
      ),
    );
  }

  removeAttachment(containerId: string, name: string): void {
    this.#database.relaxed(() =>
      this.#database.run('DELETE FROM volume_attachments WHERE container_id = ? AND name = ?', containerId, name),
    );
  }

  #forgetIntents(name: string): void {
    this.#database.run(`DELETE FROM intents WHERE kind IN (${kinds}) AND key = ?`, name);
  }
}

const kinds = "'volume.create', 'volume.remove', 'volume.rename'";

function parsed<T>(value: unknown): T {
  return JSON.parse(String(value)) as T;
}
