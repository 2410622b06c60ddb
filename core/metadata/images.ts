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
export interface NamedImageRow extends ImageRow {
  /** Canonical references. */
  readonly references: readonly string[];
}

/** The manifest that an image came with, or went under: pushed again, it keeps its digest. */
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

  /** All of them, in one query. */
  images(): readonly NamedImageRow[] {
    const images = new Map<string, ImageRow & { readonly references: string[] }>();
    for (const row of this.#database.all('SELECT * FROM images LEFT JOIN image_refs ON image_id = id')) {
      const image = images.get(String(row['id'])) ?? imageOf(row);
      images.set(image.id, image);
      if (row['reference'] !== null) image.references.push(String(row['reference']));
    }
    return [...images.values()];
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

  setReference(reference: string, imageId: string): void {
    this.#database.run(
      'INSERT INTO image_refs (reference, image_id) VALUES (?, ?) ON CONFLICT (reference) DO UPDATE SET image_id = excluded.image_id',
      reference,
      imageId,
    );
  }

  removeReference(reference: string): void {
    this.#database.run('DELETE FROM image_refs WHERE reference = ?', reference);
  }

  transaction<T>(work: () => T): T {
    return this.#database.transaction(work);
  }
}

function imageOf(row: Row): ImageRow & { readonly references: string[] } {
  return {
    id: String(row['id']),
    parent: String(row['parent']),
    topChain: row['top_chain'] === null ? undefined : String(row['top_chain']),
    isBuiltHere: row['built_here'] === 1,
    lastTagged: String(row['last_tagged']),
    addedMs: Number(row['added']),
    usedMs: Number(row['used']),
    references: [],
  };
}

function bytesOf(value: Row[string] | undefined): Buffer {
  return value instanceof Uint8Array ? Buffer.from(value) : Buffer.alloc(0);
}
