import type { Database, Row } from './database.ts';

/** A committed layer of images. */
export interface LayerRow {
  readonly chainId: string;
  readonly parent: string | undefined;
  readonly diffId: string;
  readonly blobDigest: string;
  readonly driver: string;
  readonly key: string;
  /** Of its files, unpacked. */
  readonly sizeBytes: number;
  readonly createdMs: number;
  /** Its files may not be on the disk yet, only its blob: the session of the kernel that still has them. */
  readonly unsettled?: string | undefined;
}
/** A container's writable layer. `topChain` is '' above nothing. */
export interface RwLayerRow {
  readonly containerId: string;
  readonly driver: string;
  readonly key: string;
  readonly initKey: string;
  readonly topChain: string;
  /** How much may be written; 0: as much as there is room for. */
  readonly quotaBytes: number;
}
export interface InitLayerRow {
  readonly topChain: string;
  readonly driver: string;
  readonly key: string;
}

/** Rows of layers. Layers and images are written in the caller's transaction, so that an image and its layers appear together. */
export class LayerRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  layers(): readonly LayerRow[] {
    return this.#database.all('SELECT * FROM layers').map((row) => ({
      chainId: text(row, 'chain_id'),
      parent: row['parent'] === null ? undefined : text(row, 'parent'),
      diffId: text(row, 'diff_id'),
      blobDigest: text(row, 'blob_digest'),
      driver: text(row, 'driver'),
      key: text(row, 'key'),
      sizeBytes: Number(row['size']),
      createdMs: Number(row['created']),
      ...(row['unsettled'] === null ? {} : { unsettled: text(row, 'unsettled') }),
    }));
  }

  addLayer({ chainId, parent, diffId, blobDigest, driver, key, sizeBytes, createdMs, unsettled }: LayerRow): void {
    this.#database.run(
      'INSERT INTO layers (chain_id, parent, diff_id, blob_digest, driver, key, size, created, unsettled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      chainId,
      parent ?? null,
      diffId,
      blobDigest,
      driver,
      key,
      sizeBytes,
      createdMs,
      unsettled ?? null,
    );
  }

  markLayers(chainIds: readonly string[], unsettled: string | undefined): void {
    this.#database.transaction(() => {
      for (const chainId of chainIds) this.#database.run('UPDATE layers SET unsettled = ? WHERE chain_id = ?', unsettled ?? null, chainId);
    });
  }

  removeLayer(chainId: string): void {
    this.#database.run('DELETE FROM layers WHERE chain_id = ?', chainId);
  }

  /** Top chain ids of images and containers. */
  usedChains(): readonly string[] {
    return this.#database
      .all('SELECT top_chain FROM images WHERE top_chain IS NOT NULL UNION SELECT top_chain FROM rw_layers')
      .map((row) => text(row, 'top_chain'));
  }

  /** Whether an image ends with this chain. */
  isImageTop(chainId: string): boolean {
    return this.#database.get('SELECT 1 FROM images WHERE top_chain = ? LIMIT 1', chainId) !== undefined;
  }

  rwLayers(): readonly RwLayerRow[] {
    return this.#database.all('SELECT * FROM rw_layers').map((row) => ({
      containerId: text(row, 'container_id'),
      driver: text(row, 'driver'),
      key: text(row, 'key'),
      initKey: text(row, 'init_key'),
      topChain: text(row, 'top_chain'),
      quotaBytes: Number(row['quota_bytes']),
    }));
  }

  /** Not waiting for the disk: the container's own row, written after it, takes it along. */
  addRwLayer({ containerId, driver, key, initKey, topChain, quotaBytes }: RwLayerRow): void {
    this.#database.relaxed(() =>
      this.#database.run(
        'INSERT INTO rw_layers (container_id, driver, key, init_key, top_chain, quota_bytes) VALUES (?, ?, ?, ?, ?, ?)',
        containerId,
        driver,
        key,
        initKey,
        topChain,
        quotaBytes,
      ),
    );
  }

  removeRwLayer(containerId: string): void {
    this.#database.relaxed(() => this.#database.run('DELETE FROM rw_layers WHERE container_id = ?', containerId));
  }

  initLayers(): readonly InitLayerRow[] {
    return this.#database
      .all('SELECT * FROM init_layers')
      .map((row) => ({ topChain: text(row, 'top_chain'), driver: text(row, 'driver'), key: text(row, 'key') }));
  }

  addInitLayer({ topChain, driver, key }: InitLayerRow): void {
    this.#database.transaction(() =>
      this.#database.run('INSERT INTO init_layers (top_chain, driver, key) VALUES (?, ?, ?)', topChain, driver, key),
    );
  }

  removeInitLayer(key: string): void {
    this.#database.run('DELETE FROM init_layers WHERE key = ?', key);
  }

  transaction<T>(work: () => T): T {
    return this.#database.transaction(work);
  }
}

function text(row: Row, column: string): string {
  return String(row[column] ?? '');
}
