import { dataLoss } from '@gantry/sdk';
import type { Database, Row } from './database.ts';

/** Rows of networks and endpoints; what is in the documents is the networks room's affair. */
export interface NetworkRow<Document> {
  readonly id: string;
  readonly name: string;
  readonly document: Document;
}
export interface EndpointRow<Document> {
  readonly containerId: string;
  readonly networkId: string;
  readonly document: Document;
}

const intentKinds = ['network.create', 'network.remove', 'network.cni.del'] as const;

/**
 * What was begun with a network, and has not ended: its making, with what its user asked for, or its removal; or, by the id of an endpoint that is gone, what CNI plugins did
 * not take back of it.
 */
export interface NetworkIntent {
  readonly kind: (typeof intentKinds)[number];
  readonly id: string;
  readonly document: unknown;
}

/**
 * Networks are durable when `putNetwork` returns, and gone for good when `intendLasting` has resolved: a power cut may take what `removeNetwork` did, but not that it is to be
 * done. It may take other intents, and with them what was done for them. Endpoints describe what is in the kernel, so a power cut may take
 * their last changes; a crash of the engine may not.
 */
export class NetworkRows<NetworkDocument, EndpointDocument> {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  networks(): readonly NetworkRow<NetworkDocument>[] {
    return this.#database
      .all('SELECT id, name, document FROM networks')
      .map((row) => ({ id: text(row, 'id'), name: text(row, 'name'), document: parsed<NetworkDocument>(row) }));
  }

  putNetwork({ id, name, document }: NetworkRow<NetworkDocument>): void {
    this.#database.transaction(() => {
      this.#forget(id);
      this.#database.run(
        'INSERT INTO networks (id, name, document) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, document = excluded.document',
        id,
        name,
        JSON.stringify(document),
      );
    });
  }

  removeNetwork(id: string): void {
    this.#database.relaxed(() => {
      this.#database.run('DELETE FROM endpoints WHERE network_id = ?', id);
      this.#database.run('DELETE FROM networks WHERE id = ?', id);
      this.#database.run("DELETE FROM intents WHERE kind = 'network.cni.del' AND json_extract(document, '$.networkId') = ?", id);
      this.#forget(id);
    });
  }

  intend(intent: NetworkIntent): void {
    this.#database.relaxed(() => this.#putIntent(intent));
  }

  /** As `intend`: written when the call returns, durable when it resolves. */
  async intendLasting(intent: NetworkIntent): Promise<void> {
    await this.#database.lasting(() => this.#putIntent(intent));
  }

  /** What was intended has been taken back; durable, since the intent may be. */
  forgetIntent(id: string): void {
    this.#database.transaction(() => this.#forget(id));
  }

  intents(): readonly NetworkIntent[] {
    const rows = this.#database.all(
      `SELECT kind, key, document FROM intents WHERE kind IN (${intentKinds.map(() => '?').join(', ')})`,
      ...intentKinds,
    );
    return rows.flatMap((row) => {
      const kind = intentKinds.find((known) => known === row['kind']);
      return kind === undefined ? [] : [{ kind, id: text(row, 'key'), document: JSON.parse(text(row, 'document')) as unknown }];
    });
  }

  endpoints(): readonly EndpointRow<EndpointDocument>[] {
    return this.#database.all('SELECT container_id, network_id, document FROM endpoints').map((row) => ({
      containerId: text(row, 'container_id'),
      networkId: text(row, 'network_id'),
      document: parsed<EndpointDocument>(row),
    }));
  }

  /** All of them in one transaction. */
  putEndpoints(rows: readonly EndpointRow<EndpointDocument>[]): void {
    this.#database.relaxed(() => {
      for (const row of rows) this.#putEndpoint(row);
    });
  }

  /** As `putEndpoints`, and durable. */
  putLastingEndpoint(row: EndpointRow<EndpointDocument>): void {
    this.#database.transaction(() => this.#putEndpoint(row));
  }

  removeEndpoint(containerId: string, networkId: string): void {
    this.#database.relaxed(() =>
      this.#database.run('DELETE FROM endpoints WHERE container_id = ? AND network_id = ?', containerId, networkId),
    );
  }

  #putIntent({ kind, id, document }: NetworkIntent): void {
    this.#database.run(
      'INSERT OR REPLACE INTO intents (id, kind, key, document, created) VALUES (?, ?, ?, ?, ?)',
      `network ${id}`,
      kind,
      id,
      JSON.stringify(document),
      Date.now(),
    );
  }

  #putEndpoint({ containerId, networkId, document }: EndpointRow<EndpointDocument>): void {
    this.#database.run(
      'INSERT INTO endpoints (container_id, network_id, document) VALUES (?, ?, ?) ON CONFLICT (container_id, network_id) DO UPDATE SET document = excluded.document',
      containerId,
      networkId,
      JSON.stringify(document),
    );
  }

  #forget(id: string): void {
    this.#database.run('DELETE FROM intents WHERE id = ?', `network ${id}`);
  }
}

function text(row: Row, column: string): string {
  return String(row[column]);
}

function parsed<Document>(row: Row): Document {
  try {
    return JSON.parse(text(row, 'document')) as Document;
  } catch (cause) {
    throw dataLoss(`metadata store: the network record ${text(row, 'id' in row ? 'id' : 'container_id')} is no JSON`, { cause });
  }
}
