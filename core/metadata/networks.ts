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

/**
 * Networks are durable when `putNetwork` and `removeNetwork` return. Endpoints describe what is in the kernel, so a power cut may take
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
    this.#database.transaction(() =>
      this.#database.run(
        'INSERT INTO networks (id, name, document) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, document = excluded.document',
        id,
        name,
        JSON.stringify(document),
      ),
    );
  }

  removeNetwork(id: string): void {
    this.#database.transaction(() => {
      this.#database.run('DELETE FROM endpoints WHERE network_id = ?', id);
      this.#database.run('DELETE FROM networks WHERE id = ?', id);
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
      for (const { containerId, networkId, document } of rows) {
        this.#database.run(
          'INSERT INTO endpoints (container_id, network_id, document) VALUES (?, ?, ?) ON CONFLICT (container_id, network_id) DO UPDATE SET document = excluded.document',
          containerId,
          networkId,
          JSON.stringify(document),
        );
      }
    });
  }

  removeEndpoint(containerId: string, networkId: string): void {
    this.#database.relaxed(() =>
      this.#database.run('DELETE FROM endpoints WHERE container_id = ? AND network_id = ?', containerId, networkId),
    );
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
