import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { History } from '../../../core/builds/history.ts';
import { BuildRecordRows, Database } from '../../../core/metadata/index.ts';
import { buildImage, noOptions } from '../../support/images/build-context.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open();
  await under.warm();
});
after(() => under[Symbol.asyncDispose]());

test('BuildHistory keeps the last 50 builds and those that somebody keeps', { timeout: 120_000 }, async () => {
  const { history } = under.engine.builds;
  const context = { Dockerfile: 'FROM busybox\nENV a=b\n' };
  await buildImage(under.engine, context, { record: { id: 'kept' } });
  await buildImage(under.engine, context, { record: { id: 'gone' } });
  history.keep('kept', true);
  for (let at = 0; at < 51; at++) await buildImage(under.engine, context, { record: { id: `build-${at}` } });
  const ids = history.list().map(({ id }) => id);
  assert.deepEqual([ids.length, ids[0], ids.at(-2), ids.at(-1)], [51, 'build-50', 'build-1', 'kept']);
  assert.throws(() => history.inspect('gone'), /no such build: gone/);
  assert.throws(() => history.inspect('build-'), /50 builds begin with build-/);
  await buildImage(under.engine, context, { record: { id: 'kept' } });
  assert.notEqual(history.list()[0]?.id, 'kept', 'an id that another has is not taken');
  await buildImage(under.engine, context, { record: { id: '../x' } });
  assert.notEqual(history.list()[0]?.id, '../x');
  history.keep('kept', false);
  assert.equal(history.list().length, 50);
});

test('BuildHistory keeps all steps and the last mebibyte of output', { timeout: 120_000 }, async () => {
  const { history } = under.engine.builds;
  const Dockerfile = 'FROM busybox\nRUN echo the beginning; head -c 5000000 /dev/zero | tr "\\0" x; echo the end\nENV a=b\n';
  await buildImage(under.engine, { Dockerfile }, { record: { id: 'long' } });
  const read = async () => Array.fromAsync(history.events('long'));
  const early = await read();
  // Once more, from the disk.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const events = await read();
  assert.deepEqual(events, early);
  assert.deepEqual(events.filter(({ event }) => event.kind === 'step').length, 3);
  const output = Buffer.concat(events.flatMap(({ event }) => (event.kind === 'output' ? [event.data] : []))).toString();
  assert.ok(output.length > 500_000 && output.length <= 2 ** 20, String(output.length));
  assert.ok(output.endsWith('the end\n'));
});

test('BuildHistory forgets a damaged record at the start, says of a damaged log that it is, and keeps no more of what clients say than anybody reads', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'history-'));
  const log = quietLog;
  const write = (sql: string, ...values: readonly string[]): void => {
    using database = new Database(join(folder, 'metadata.db'));
    database.run(sql, ...values);
  };
  {
    using database = new Database(join(folder, 'metadata.db'));
    using history = new History(new BuildRecordRows(database), log);
    for (const id of ['good', 'cut', 'other', 'log']) {
      const attributes = { [id]: id === 'good' ? 'x'.repeat(100_000) : 'said' };
      const record = history.begin({
        ...noOptions,
        context: { kind: 'remote', url: 'https://me:secret@host/x.git' },
        onEvent: () => {},
        record: { id, attributes },
      });
      record.take({ kind: 'warning', text: 'told' });
      record.succeeded('sha256:1');
    }
  }
  write("UPDATE build_history SET document = substr(document, 1, 40) WHERE id = 'cut'");
  write("UPDATE build_history SET document = '{}' WHERE id = 'other'");
  write("UPDATE build_history SET log = x'00' WHERE id = 'log'");
  using database = new Database(join(folder, 'metadata.db'));
  using history = new History(new BuildRecordRows(database), log);
  assert.deepEqual(
    history
      .list()
      .map(({ id }) => id)
      .toSorted(),
    ['good', 'log'],
  );
  assert.deepEqual([history.inspect('good').attributes, history.inspect('log').attributes], [{}, { log: 'said' }]);
  assert.equal(history.inspect('good').remote, 'https://***@host/x.git');
  assert.equal((await Array.fromAsync(history.events('good'))).length, 1);
  await assert.rejects(Array.fromAsync(history.events('log')), /what the build told is damaged/);
  assert.equal(database.get('SELECT count(*) AS count FROM build_history')?.['count'], 2);
});
