import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { GantryError } from '@gantry/sdk';
import { Database, pluginState } from '../../../core/metadata/index.ts';

function temporaryPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-metadata-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'metadata.db');
}

test('Database.transaction() undoes everything when its work throws', (t) => {
  using database = new Database(temporaryPath(t));
  assert.throws(() =>
    database.transaction(() => {
      database.run("INSERT INTO volumes VALUES ('a', 'local', '{}')");
      throw new Error('no');
    }),
  );
  assert.deepEqual(database.all('SELECT * FROM volumes'), []);
});

test('Database.transaction() joins an outer one', (t) => {
  using database = new Database(temporaryPath(t));
  database.transaction(() => database.relaxed(() => database.run("INSERT INTO volumes VALUES ('a', 'local', '{}')")));
  assert.equal(database.all('SELECT * FROM volumes').length, 1);
});

test('Database.lasting() is done when it returns, for other readers too, and says later what its work answered', async (t) => {
  const path = temporaryPath(t);
  using database = new Database(path);
  const lasting = database.lasting(() => database.run("INSERT INTO volumes VALUES ('a', 'local', '{}')"));
  using other = new DatabaseSync(path);
  assert.equal(other.prepare('SELECT count(*) AS rows FROM volumes').get()?.['rows'], 1);
  assert.equal(await lasting, 1);
  await assert.rejects(
    database.transaction(() => database.lasting(() => 1)),
    /inside a transaction/,
  );
});

test('Database keeps rows over a reopen', (t) => {
  const path = temporaryPath(t);
  {
    using database = new Database(path);
    database.run("INSERT INTO volumes VALUES ('a', 'local', '{}')");
  }
  using again = new Database(path);
  assert.deepEqual({ ...again.get('SELECT name FROM volumes') }, { name: 'a' });
});

test('Database refuses a store that a newer version wrote, and leaves it as it is', (t) => {
  const path = temporaryPath(t);
  const raw = new DatabaseSync(path);
  raw.exec('PRAGMA user_version=999');
  raw.close();
  assert.throws(
    () => new Database(path),
    (error) => GantryError.is(error) && error.code === 'conflict' && /newer version \(schema 999/.test(error.message),
  );
});

test('pluginState().put() is all or nothing and compares revisions', (t) => {
  using database = new Database(temporaryPath(t));
  const state = pluginState(database, 'a');
  const other = pluginState(database, 'b');
  state.put([{ key: 'k', value: '1', expectedRevision: 0 }]);
  assert.throws(
    () =>
      state.put([
        { key: 'x', value: '9' },
        { key: 'k', value: '2', expectedRevision: 0 },
      ]),
    /revision 1, not 0/,
  );
  assert.deepEqual([state.get('x'), state.get('k'), other.get('k')], [undefined, { key: 'k', value: '1', revision: 1 }, undefined]);
  state.put([{ key: 'k', value: undefined }]);
  assert.deepEqual(state.list(''), []);
});

test('pluginState().list() takes its prefix literally', (t) => {
  using database = new Database(temporaryPath(t));
  const state = pluginState(database, 'a');
  state.put([
    { key: 'p%/1', value: '1' },
    { key: 'pool/1', value: '2' },
  ]);
  assert.deepEqual(
    state.list('p%/').map(({ key }) => key),
    ['p%/1'],
  );
});

test('what is known of a compressed layer goes with the last layer of that diff id', (t) => {
  using database = new Database(temporaryPath(t));
  const layer =
    "INSERT INTO layers (chain_id, parent, diff_id, blob_digest, driver, key, size, created) VALUES (?, NULL, 'd', 'b', 'overlay2', ?, 1, 1)";
  for (const chainId of ['one', 'two']) database.run(layer, chainId, chainId);
  database.run("INSERT INTO compressed_layers VALUES ('d', 'z', 1)");
  database.run("DELETE FROM layers WHERE chain_id = 'one'");
  assert.equal(database.all('SELECT * FROM compressed_layers').length, 1);
  database.run("DELETE FROM layers WHERE chain_id = 'two'");
  assert.equal(database.all('SELECT * FROM compressed_layers').length, 0);
});
