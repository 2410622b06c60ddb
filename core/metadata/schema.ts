/**
 * The whole store, one SQLite file in WAL mode below the data root:
 *
 *   metadata.db
 *   ├─ layers           chain id → parent chain id, diff id, blob, graph driver and its key, size, whether the disk has its files yet
 *   ├─ images           image id (= digest of its config blob) → parent, times, whether built here
 *   │  ├─ image_manifests  the manifests it came with, or went to a registry under
 *   │  └─ image_refs    reference ("docker.io/library/busybox:latest", "…@sha256:…") → image id; with an index, the first of its images
 *   ├─ image_indexes    digest → the index that names came as; goes with the last of them
 *   │  └─ index_images  index ↔ those of its images that are here, one for each platform, in the order in which they are preferred
 *   ├─ build_cache      key of a build's step → the image that it made; goes with the image
 *   ├─ build_history    id of a build that is over → how it went, what it told
 *   ├─ compressed_layers  diff id → the blob that it became on its way to a registry, to be recognised there
 *   ├─ containers       id → name, document (what never changes), state (what does)
 *   │  └─ rw_layers     container id → graph driver, key, chain, init key, how much may be written
 *   ├─ init_layers      image's top chain id, driver → key of the snapshot between the image and its containers
 *   ├─ volumes          name → driver, options, labels
 *   │  ├─ volume_secrets  volume name → options that nobody is shown; read for its driver alone
 *   │  ├─ volume_refs   container id ↔ volume name
 *   │  └─ volume_attachments  container id ↔ volume name, while mounted: what the driver described and where it is
 *   ├─ networks         id → name, document, plan
 *   │  └─ endpoints     container id ↔ network id → executed plan, addresses, ports
 *   ├─ log_cursors      container id → acknowledged sequence and spool position
 *   ├─ plugins          name → what the user decided: source, version, whether enabled, settings, grant, the version before
 *   ├─ plugin_state     plugin, key → value, revision
 *   └─ intents          calls to drivers whose outcome is not recorded yet
 *
 * Blobs have no rows: their names are their digests (content/). What a running operation protects from collection is held in memory, since one
 * engine owns the store: after a crash nothing is protected, and what was half-made is collected at the next start.
 *
 * Documents are JSON text. Nothing is acknowledged before its transaction is in the log and the disk has the log (log.ts).
 * A newer `user_version` than this file knows is refused. Migrations run in order inside one transaction.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE layers (
    chain_id TEXT PRIMARY KEY, parent TEXT REFERENCES layers(chain_id), diff_id TEXT NOT NULL,
    blob_digest TEXT NOT NULL, driver TEXT NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL, created INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX layers_parent ON layers(parent);
  CREATE TABLE images (
    id TEXT PRIMARY KEY, parent TEXT NOT NULL, top_chain TEXT, built_here INTEGER NOT NULL, last_tagged TEXT NOT NULL, added INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE image_refs (
    reference TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE
  ) WITHOUT ROWID;
  CREATE INDEX image_refs_image ON image_refs(image_id);
  CREATE TABLE containers (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL, state TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE rw_layers (
    container_id TEXT PRIMARY KEY, driver TEXT NOT NULL, key TEXT NOT NULL, init_key TEXT NOT NULL, top_chain TEXT
  ) WITHOUT ROWID;
  CREATE TABLE init_layers (
    top_chain TEXT NOT NULL, driver TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (top_chain, driver)
  ) WITHOUT ROWID;
  CREATE TABLE volumes (
    name TEXT PRIMARY KEY, driver TEXT NOT NULL, document TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE volume_refs (
    container_id TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (container_id, name)
  ) WITHOUT ROWID;
  CREATE INDEX volume_refs_name ON volume_refs(name);
  CREATE TABLE volume_attachments (
    container_id TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (container_id, name)
  ) WITHOUT ROWID;
  CREATE TABLE networks (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, document TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE endpoints (
    container_id TEXT NOT NULL, network_id TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (container_id, network_id)
  ) WITHOUT ROWID;
  CREATE TABLE log_cursors (
    container_id TEXT PRIMARY KEY, document TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE plugin_state (
    plugin TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (plugin, key)
  ) WITHOUT ROWID;
  CREATE TABLE intents (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL, created INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  CREATE TABLE plugins (
    name TEXT PRIMARY KEY, document TEXT NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  ALTER TABLE layers ADD COLUMN unsettled TEXT;
  ALTER TABLE images ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE rw_layers ADD COLUMN quota_bytes INTEGER NOT NULL DEFAULT 0;
  `,
  `
  CREATE TABLE volume_secrets (
    name TEXT PRIMARY KEY, document TEXT NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  CREATE TABLE image_manifests (
    digest TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
    media_type TEXT NOT NULL, bytes BLOB NOT NULL, added INTEGER NOT NULL
  );
  CREATE INDEX image_manifests_image ON image_manifests(image_id);
  CREATE TABLE compressed_layers (
    diff_id TEXT PRIMARY KEY, digest TEXT NOT NULL, size INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TRIGGER compressed_layers_go AFTER DELETE ON layers
    WHEN NOT EXISTS (SELECT 1 FROM layers WHERE diff_id = OLD.diff_id)
    BEGIN DELETE FROM compressed_layers WHERE diff_id = OLD.diff_id; END;
  `,
  `
  CREATE TABLE build_cache (
    key TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    created INTEGER NOT NULL, used INTEGER NOT NULL, uses INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX build_cache_image ON build_cache(image_id);
  `,
  `
  CREATE TABLE build_history (
    id TEXT PRIMARY KEY, document TEXT NOT NULL, log BLOB NOT NULL
  );
  `,
  `
  ALTER TABLE image_refs ADD COLUMN index_digest TEXT;
  CREATE INDEX image_refs_index ON image_refs(index_digest);
  CREATE TABLE image_indexes (
    digest TEXT PRIMARY KEY, media_type TEXT NOT NULL, bytes BLOB NOT NULL
  );
  CREATE TABLE index_images (
    index_digest TEXT NOT NULL REFERENCES image_indexes(digest) ON DELETE CASCADE,
    image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
    rank INTEGER NOT NULL, PRIMARY KEY (index_digest, image_id)
  ) WITHOUT ROWID;
  CREATE INDEX index_images_image ON index_images(image_id);
  `,
];
