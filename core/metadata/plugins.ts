import type { StateEntry } from '@gantry/sdk';
import type { Database } from './database.ts';

/** Rows of plugins: what users decided about them. The documents are the plugin host's affair. */
export class PluginRows<Document> {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  all(): readonly { readonly name: string; readonly document: Document }[] {
    return this.#database
      .all('SELECT name, document FROM plugins ORDER BY name')
      .map((row) => ({ name: String(row['name']), document: JSON.parse(String(row['document'])) as Document }));
  }

  get(name: string): Document | undefined {
    const row = this.#database.get('SELECT document FROM plugins WHERE name = ?', name);
    return row === undefined ? undefined : (JSON.parse(String(row['document'])) as Document);
  }

  /** With `forget`, nothing of the document before is in a file afterwards. */
  put(name: string, document: Document, { forget = false }: { readonly forget?: boolean } = {}): void {
    this.#transact(forget, () =>
      this.#database.run(
        'INSERT INTO plugins (name, document) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET document = excluded.document',
        name,
        JSON.stringify(document),
      ),
    );
  }

  /** With `state`, also everything that the plugin stored. Nothing of it is in a file afterwards. */
  remove(name: string, { state }: { readonly state: boolean }): void {
    this.#transact(true, () => {
      this.#database.run('DELETE FROM plugins WHERE name = ?', name);
      if (state) this.#database.run('DELETE FROM plugin_state WHERE plugin = ?', name);
    });
  }

  /** What a plugin stored, under another name from now on. */
  moveState(from: string, to: string): void {
    if (from === to) return;
    this.#database.transaction(() => {
      this.#database.run('DELETE FROM plugin_state WHERE plugin = ?', to);
      this.#database.run('UPDATE plugin_state SET plugin = ? WHERE plugin = ?', to, from);
    });
  }

  #transact(forget: boolean, work: () => unknown): void {
    if (forget) this.#database.forgetting(work);
    else this.#database.transaction(work);
  }

  /** Puts a plugin's state back to what it was, all of it. */
  restoreState(name: string, entries: readonly StateEntry[]): void {
    this.#database.transaction(() => {
      this.#database.run('DELETE FROM plugin_state WHERE plugin = ?', name);
      for (const { key, value, revision } of entries) {
        this.#database.run('INSERT INTO plugin_state (plugin, key, value, revision) VALUES (?, ?, ?, ?)', name, key, value, revision);
      }
    });
  }
}

/** An object of a driver, as the records have it. */
export interface DriverObject {
  readonly kind: 'volume' | 'network' | 'pool' | 'snapshot' | 'container';
  readonly id: string;
  readonly name: string;
  /** A container that is running by it, a volume that is mounted. */
  readonly isActive: boolean;
}

/** What exists of a driver: asked from the records alone, so it is true whatever the plugin thinks. */
export function objectsOf(database: Database, contract: string, driver: string): readonly DriverObject[] {
  const sql = queries[contract];
  if (sql === undefined) return [];
  return database.all(sql, ...Array.from({ length: sql.split('?').length - 1 }, () => driver)).map((row) => ({
    kind: String(row['kind']) as DriverObject['kind'],
    id: String(row['id']),
    name: String(row['name']),
    isActive: Number(row['active']) === 1,
  }));
}

/** Names of a volume driver's volumes that are being made or removed: whether they are there is not known. */
export function unsettledVolumes(database: Database, driver: string): readonly string[] {
  const sql = `SELECT key FROM intents WHERE kind IN ('volume.create', 'volume.remove') AND json_extract(document, '$.driver') = ?`;
  return database.all(sql, driver).map((row) => String(row['key']));
}

/** Ids of the attachments of a volume driver: its volumes that containers use now. */
export function volumeAttachmentIds(database: Database, driver: string): readonly string[] {
  const sql = `SELECT json_extract(a.document, '$.attachmentId') AS id FROM volume_attachments a JOIN volumes v ON v.name = a.name WHERE v.driver = ?`;
  return database.all(sql, driver).map((row) => String(row['id']));
}

const running = `json_extract(state, '$.phase.kind') IN ('running', 'starting', 'restarting')`;
const has = `coalesce(json_extract(document, '$.exec.driver'), ?) = ?`;
const queries: Readonly<Record<string, string>> = {
  volume: `SELECT 'volume' AS kind, name AS id, name, EXISTS (SELECT 1 FROM volume_attachments a WHERE a.name = volumes.name) AS active FROM volumes WHERE driver = ?`,
  network: `SELECT 'network' AS kind, id, name, EXISTS (SELECT 1 FROM endpoints e WHERE e.network_id = networks.id) AS active FROM networks WHERE json_extract(document, '$.driver') = ?`,
  ipam: `SELECT 'pool' AS kind, json_extract(p.value, '$.poolId') AS id, networks.name, 0 AS active FROM networks, json_each(document, '$.pools') p WHERE json_extract(document, '$.ipamDriver') = ?`,
  graph: `SELECT 'snapshot' AS kind, key AS id, chain_id AS name, 0 AS active FROM layers WHERE driver = ? UNION ALL SELECT 'snapshot', key, key, 0 FROM init_layers WHERE driver = ? UNION ALL SELECT 'snapshot', r.key, coalesce(c.name, r.container_id), coalesce(${running}, 0) FROM rw_layers r LEFT JOIN containers c ON c.id = r.container_id WHERE r.driver = ?`,
  log: `SELECT 'container' AS kind, id, name, ${running} AS active FROM containers WHERE json_extract(document, '$.log.driver') = ?`,
  // What is only described runs on without who described it.
  exec: `SELECT 'container' AS kind, id, name, ${running} AND ${has} AS active FROM containers WHERE (${running} AND ${has}) OR json_extract(document, '$.exec.describedBy') = ?`,
};

/** Facts that a plugin may be granted to see; undefined when there is no such object. */
export function lookupFacts(database: Database, kind: string, id: string): Readonly<Record<string, unknown>> | undefined {
  const sql = lookups[kind];
  const row = sql === undefined ? undefined : database.get(sql, id, id);
  if (row === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, key === 'labels' || key === 'options' ? JSON.parse(String(value ?? '{}')) : value]),
  );
}

const lookups: Readonly<Record<string, string>> = {
  container: `SELECT id, name, json_extract(document, '$.config.image') AS image, json_extract(document, '$.config.labels') AS labels, json_extract(document, '$.created') AS created, json_extract(state, '$.phase.kind') AS state FROM containers WHERE id = ? OR name = ?`,
  volume: `SELECT name, name AS id, driver, json_extract(document, '$.options') AS options, json_extract(document, '$.labels') AS labels FROM volumes WHERE name = ? OR name = ?`,
  network: `SELECT id, name, json_extract(document, '$.driver') AS driver, json_extract(document, '$.plan.network.options') AS options, json_extract(document, '$.plan.network.labels') AS labels FROM networks WHERE id = ? OR name = ?`,
  image: `SELECT id, id AS name, parent FROM images WHERE id = ? OR id = ?`,
};
