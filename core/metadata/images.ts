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
