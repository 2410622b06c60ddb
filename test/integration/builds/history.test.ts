import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildImage } from '../../support/build-context.ts';
import { EngineUnderTest } from '../../support/engine.ts';
import { leakGuard } from '../../support/leak-guard.ts';
import { inNamespaces } from '../../support/namespaces.ts';

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
