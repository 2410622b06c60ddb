import type { Database, Row } from './database.ts';

export interface ImageRow {
  /** Digest of the config. */
  readonly id: string;
  /** '' when there is none. */
  readonly parent: string;
  /** Undefined for an image without layers. */
  readonly topChain: string | undefined;
  /** Made by this engine, so that its parent and history can be believed. */
  readonly isBuiltHere: boolean;
  /** When a name was last given to it by hand: RFC 3339, or ''. */
  readonly lastTagged: string;
  readonly addedMs: number;
  /** When a container was last made from it, or the last one removed; 0: never. */
  readonly usedMs: number;
}

/** What a reference means: an image, or an index of images for several platforms. */
export type Target = { readonly image: string } | { readonly index: string };

/** The manifest that an image came with, or went under: pushed again, it keeps its digest. An index of manifests has the same shape. */
export interface ImageManifest {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Buffer;
}

/** What a layer that is stored plain was when it was compressed. */
export interface CompressedLayer {
  readonly digest: string;
  readonly sizeBytes: number;
}

/** Rows of images and the references that name them. Changes run in the caller's transaction. */
export class ImageRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  images(): readonly ImageRow[] {
    return this.#database.all('SELECT * FROM images').map(imageOf);
  }

  /** By canonical reference. */
  references(): ReadonlyMap<string, Target> {
    return new Map(this.#database.all('SELECT * FROM image_refs').map((row) => [String(row['reference']), targetOf(row)]));
  }

  /** Of each index the images that are here, the preferred one first. */
  indexes(): ReadonlyMap<string, readonly string[]> {
    const indexes = new Map<string, string[]>();
    for (const row of this.#database.all('SELECT index_digest, image_id FROM index_images ORDER BY index_digest, rank')) {
      const digest = String(row['index_digest']);
      const images = indexes.get(digest) ?? [];
      images.push(String(row['image_id']));
      indexes.set(digest, images);
    }
    return indexes;
  }

  /** The row as it is from now on. */
  put({ id, parent, topChain, isBuiltHere, lastTagged, addedMs }: ImageRow): void {
    this.#database.run(
      `INSERT INTO images (id, parent, top_chain, built_here, last_tagged, added) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET parent = excluded.parent, built_here = excluded.built_here, last_tagged = excluded.last_tagged`,
      id,
      parent,
      topChain ?? null,
      isBuiltHere ? 1 : 0,
      lastTagged,
      addedMs,
    );
  }

  /** Goes with the image. */
  setManifest(imageId: string, { digest, mediaType, bytes }: ImageManifest): void {
    this.#database.run(
      'INSERT OR REPLACE INTO image_manifests (digest, image_id, media_type, bytes, added) VALUES (?, ?, ?, ?, ?)',
      digest,
      imageId,
      mediaType,
      bytes,
      Date.now(),
    );
  }

  /** The latest first. */
  manifestsOf(imageId: string): readonly ImageManifest[] {
    return this.#database.all('SELECT * FROM image_manifests WHERE image_id = ? ORDER BY added DESC', imageId).map((row) => ({
      digest: String(row['digest']),
      mediaType: String(row['media_type']),
      bytes: bytesOf(row['bytes']),
    }));
  }

  compressed(diffId: string): CompressedLayer | undefined {
    const row = this.#database.get('SELECT digest, size FROM compressed_layers WHERE diff_id = ?', diffId);
    return row === undefined ? undefined : { digest: String(row['digest']), sizeBytes: Number(row['size']) };
  }

  setCompressed(diffId: string, { digest, sizeBytes }: CompressedLayer): void {
    this.#database.run('INSERT OR REPLACE INTO compressed_layers (diff_id, digest, size) VALUES (?, ?, ?)', diffId, digest, sizeBytes);
  }

  /** Not waiting for the disk: it only decides which of the unused goes first. */
  use(id: string, usedMs: number): void {
    this.#database.relaxed(() => this.#database.run('UPDATE images SET used = ? WHERE id = ?', usedMs, id));
  }

  /** Its references go with it. */
  remove(id: string): void {
    this.#database.run('DELETE FROM images WHERE id = ?', id);
  }

  index(digest: string): ImageManifest | undefined {
    const row = this.#database.get('SELECT * FROM image_indexes WHERE digest = ?', digest);
    return row === undefined ? undefined : { digest, mediaType: String(row['media_type']), bytes: bytesOf(row['bytes']) };
  }

  addIndex({ digest, mediaType, bytes }: ImageManifest): void {
    this.#database.run('INSERT OR IGNORE INTO image_indexes (digest, media_type, bytes) VALUES (?, ?, ?)', digest, mediaType, bytes);
  }

  /** At least one, the preferred one first. References to the index follow. */
  setIndexImages(digest: string, images: readonly string[]): void {
    this.#database.run('DELETE FROM index_images WHERE index_digest = ?', digest);
    for (const [rank, id] of images.entries())
      this.#database.run('INSERT INTO index_images (index_digest, image_id, rank) VALUES (?, ?, ?)', digest, id, rank);
    this.#database.run('UPDATE image_refs SET image_id = ? WHERE index_digest = ?', images[0] ?? null, digest);
  }

  removeUnnamedIndexes(): void {
    this.#database.run('DELETE FROM image_indexes WHERE NOT EXISTS (SELECT 1 FROM image_refs WHERE index_digest = digest)');
  }

  /** `imageId`: the image itself, or the first one of the index. */
  setReference(reference: string, { imageId, index }: { readonly imageId: string; readonly index?: string }): void {
    this.#database.run(
      `INSERT INTO image_refs (reference, image_id, index_digest) VALUES (?, ?, ?)
       ON CONFLICT (reference) DO UPDATE SET image_id = excluded.image_id, index_digest = excluded.index_digest`,
      reference,
      imageId,
      index ?? null,
    );
  }

  removeReference(reference: string): void {
    this.#database.run('DELETE FROM image_refs WHERE reference = ?', reference);
  }

  transaction<T>(work: () => T): T {
    return this.#database.transaction(work);
  }
}

function targetOf(row: Row): Target {
  return row['index_digest'] === null ? { image: String(row['image_id']) } : { index: String(row['index_digest']) };
}

function imageOf(row: Row): ImageRow {
  return {
    id: String(row['id']),
    parent: String(row['parent']),
    topChain: row['top_chain'] === null ? undefined : String(row['top_chain']),
    isBuiltHere: row['built_here'] === 1,
    lastTagged: String(row['last_tagged']),
    addedMs: Number(row['added']),
    usedMs: Number(row['used']),
  };
}

function bytesOf(value: Row[string] | undefined): Buffer {
  return value instanceof Uint8Array ? Buffer.from(value) : Buffer.alloc(0);
}
