import assert from 'node:assert/strict';
import { test } from 'node:test';
import journald from '../../../plugins/log/journald/main.ts';
import { Journald } from '../../support/servers/journald.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { entryOf, SentLog, untilTrue as until } from '../../support/servers/sent-log.ts';

inNamespaces(import.meta.url);
leakGuard();

test('journald: records are Docker’s, with any bytes in them', async () => {
  await using journal = await Journald.start();
  await using sent = await SentLog.open(
    journald,
    { labels: 'com.acme/team,1st', env: '_SIZE', tag: '{{.Name}}' },
    { name: 'web', labels: { 'com.acme/team': 'a', '1st': 'b' }, env: ['_SIZE=1'] },
  );
  const pieces = [entryOf('begin', { partial: true }), entryOf('end')];
  const binary = entryOf('', { line: Buffer.from([0x41, 0, 0xff, 0x0a, 0x42]) });
  assert.deepEqual(await sent.send([entryOf('out é'), entryOf('err', { source: 'stderr' }), entryOf(''), binary, ...pieces]), [6]);
  await until(() => journal.records('web').length === 6);
  const [out, err, empty, bytes, begin, end] = journal.records('web');
  const { id } = sent.container;
  const expected = {
    MESSAGE: 'out é',
    PRIORITY: '6',
    CONTAINER_ID: id.slice(0, 12),
    CONTAINER_ID_FULL: id,
    CONTAINER_NAME: 'web',
    CONTAINER_TAG: 'web',
    IMAGE_NAME: 'busybox',
    SYSLOG_IDENTIFIER: 'web',
    SYSLOG_TIMESTAMP: '2023-11-14T22:13:20.123456789Z',
    COM_ACME_TEAM: 'a',
    ST: 'b',
    SIZE: '1',
  };
  assert.deepEqual(Object.fromEntries(Object.keys(expected).map((field) => [field, out?.[field]])), expected);
  assert.deepEqual([err?.['MESSAGE'], err?.['PRIORITY']], ['err', '3']);
  assert.equal(empty?.['MESSAGE'], '');
  assert.deepEqual(bytes?.['MESSAGE'], [0x41, 0, 0xff, 0x0a, 0x42]);
  assert.equal(out?.['CONTAINER_PARTIAL_MESSAGE'], undefined);
  assert.deepEqual(
    [begin?.['CONTAINER_PARTIAL_MESSAGE'], begin?.['CONTAINER_PARTIAL_ORDINAL'], begin?.['CONTAINER_PARTIAL_LAST']],
    ['true', '1', 'false'],
  );
  assert.deepEqual(
    [end?.['CONTAINER_PARTIAL_MESSAGE'], end?.['CONTAINER_PARTIAL_ORDINAL'], end?.['CONTAINER_PARTIAL_LAST']],
    [undefined, '2', 'true'],
  );
  assert.equal(begin?.['CONTAINER_PARTIAL_ID'], end?.['CONTAINER_PARTIAL_ID']);
});

test('journald: a record that no datagram holds goes as a sealed file', async () => {
  await using journal = await Journald.start();
  const huge = 'h'.repeat(1_000_000);
  await using sent = await SentLog.open(journald, { labels: 'huge', tag: 'huge' }, { labels: { huge } });
  assert.deepEqual(await sent.send(['one', 'two']), [2]);
  await until(() => journal.records('huge').length === 2);
  assert.deepEqual(
    journal.records('huge').map(({ MESSAGE, HUGE }) => [MESSAGE, HUGE === huge]),
    [
      ['one', true],
      ['two', true],
    ],
  );
});

test('journald: lines all arrive, in order, however slowly it reads', async () => {
  await using journal = await Journald.start();
  await using sent = await SentLog.open(journald, { tag: 'many' });
  const texts = Array.from({ length: 1_000 }, (_, index) => `${index}`);
  await sent.send(texts);
  await until(() => journal.records('many').length === 1_000);
  assert.deepEqual(
    journal.records('many').map(({ MESSAGE }) => MESSAGE),
    texts,
  );
});

test('journald: one that was killed gets the rest when it is back; where there is none, containers are refused plainly', async () => {
  await using sent = await SentLog.open(journald, { tag: 'killed' });
  await assert.rejects(sent.validate({}), { code: 'unavailable', message: 'journald is not enabled on this host' });
  await using journal = await Journald.start();
  await sent.validate({});
  assert.deepEqual(await sent.send(['1']), [1]);
  await until(() => journal.records('killed').length === 1);
  await journal.kill();
  await assert.rejects(sent.send(['2'], { firstSeq: 2 }), { code: 'unavailable', message: /^journald: ECONNREFUSED/ });
  await journal.resume();
  assert.deepEqual(await sent.send(['1', '2'], { firstSeq: 1 }), [1, 2]);
  await until(() => journal.records('killed').length === 2);
});

const bad: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ zz: '1' }, /^unknown log opt 'zz' for journald log driver$/],
  [{ tag: '{{.Nope}}' }, /\{\{\.Nope\}\}/],
  [{ 'env-regex': '(' }, /env-regex/],
];
for (const [options, message] of bad) {
  test(`journald refuses ${JSON.stringify(options)}`, async () => {
    await using sent = await SentLog.open(journald, {});
    await assert.rejects(sent.validate(options), { code: 'invalid_argument', message });
  });
}
