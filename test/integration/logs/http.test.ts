import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import http from '../../../plugins/log/http/main.ts';
import loki from '../../../plugins/log/loki/main.ts';
import { makeCertificates } from '../../support/servers/certificates.ts';
import { HttpReceiver } from '../../support/servers/http-receiver.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { entryOf, SentLog } from '../../support/servers/sent-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const url = 'http://127.0.0.1:3100/loki/api/v1/push';
const entries = [entryOf('out é'), entryOf('err', { source: 'stderr' }), entryOf('begin', { partial: true })];
const facts = { name: 'web', labels: { 'com.acme/team': 'a' } };

test('loki: streams by source, with labels, nanoseconds, the tenant and compression', async () => {
  await using receiver = await HttpReceiver.listen(3100);
  const given = { 'loki-external-labels': 'job=docker,name={{.Name}}', 'loki-tenant-id': 't1', labels: 'com.acme/team' };
  await using sent = await SentLog.open(loki, { 'loki-url': url.replace('//', '//me:secret@'), ...given }, facts);
  assert.deepEqual(await sent.send(entries), [3]);
  const [posted] = receiver.posted;
  assert.deepEqual(
    [posted?.path, posted?.headers['x-scope-orgid'], posted?.headers['content-encoding']],
    ['/loki/api/v1/push', 't1', 'gzip'],
  );
  assert.equal(posted?.headers.authorization, `Basic ${Buffer.from('me:secret').toString('base64')}`);
  const common = { host: hostname(), com_acme_team: 'a', job: 'docker', name: 'web' };
  const time = '1700000000123456789';
  assert.deepEqual(JSON.parse(posted?.body ?? ''), {
    streams: [
      {
        stream: { ...common, source: 'stdout' },
        values: [
          [time, 'out é'],
          [time, 'begin'],
        ],
      },
      { stream: { ...common, source: 'stderr' }, values: [[time, 'err']] },
    ],
  });
});

for (const format of ['json', 'ndjson']) {
  test(`http: batches as ${format}, with headers and labels`, async () => {
    await using receiver = await HttpReceiver.listen(3100);
    const given = { 'http-format': format, 'http-headers': 'X-Team: a|Authorization: Bearer x', 'http-gzip': 'true', tag: '{{.Name}}' };
    await using sent = await SentLog.open(http, { 'http-url': url, ...given }, facts);
    assert.deepEqual(await sent.send(entries), [3]);
    const { body = '', headers = {} } = receiver.posted[0] ?? {};
    assert.deepEqual([headers['x-team'], headers.authorization], ['a', 'Bearer x']);
    const objects: unknown =
      format === 'json'
        ? JSON.parse(body)
        : body
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line) as unknown);
    const common = {
      container_id: sent.container.id,
      container_name: 'web',
      image: 'busybox',
      tag: 'web',
      time: '2023-11-14T22:13:20.123456789Z',
    };
    assert.deepEqual(objects, [
      { ...common, source: 'stdout', log: 'out é' },
      { ...common, source: 'stderr', log: 'err' },
      { ...common, source: 'stdout', log: 'begin', partial: true },
    ]);
  });
}

test('http: a receiver that is away, busy, silent or in trouble gets everything again; what it never takes is dropped and counted', async () => {
  await using sent = await SentLog.open(http, { 'http-url': url, 'http-timeout': '300ms' });
  await assert.rejects(sent.send(['1']), { code: 'unavailable', message: /127\.0\.0\.1:3100.*ECONNREFUSED/ });
  await using receiver = await HttpReceiver.listen(3100);
  receiver.isSilent = true;
  await assert.rejects(sent.send(['1']), { code: 'unavailable' });
  receiver.isSilent = false;
  for (const status of [401, 404, 500, 503]) {
    receiver.status = status;
    await assert.rejects(sent.send(['1']), { code: 'unavailable', message: new RegExp(`answered ${status}: no`) });
  }
  receiver.status = 429;
  receiver.headers = { 'retry-after': '7' };
  await assert.rejects(sent.send(['1']), { code: 'unavailable', retryAfterMs: 7_000 });
  assert.equal(receiver.posted.length, 0);
  receiver.status = 413;
  assert.deepEqual(await sent.send(['too much', 'of it']), [2]);
  assert.ok(sent.host.log.some((line) => JSON.stringify(line).includes('"lost":2')));
  receiver.status = 200;
  assert.deepEqual(await sent.send(['3'], { firstSeq: 3 }), [2, 3]);
  assert.equal(receiver.posted.length, 1);
});

test('loki: tries again by itself, and no more when the engine stops', async () => {
  await using sent = await SentLog.open(loki, {
    'loki-url': url,
    'loki-min-backoff': '20ms',
    'loki-max-backoff': '50ms',
    'loki-retries': '500',
  });
  const waiting = sent.send(['patient']);
  await sleep(150);
  {
    await using receiver = await HttpReceiver.listen(3100);
    assert.deepEqual(await waiting, [1]);
    assert.equal(receiver.posted.length, 1);
  }
  const leaving = new AbortController();
  const stuck = sent.send(['2'], { firstSeq: 2, signal: leaving.signal });
  stuck.catch(() => {});
  await sleep(100);
  leaving.abort(new DOMException('the engine stops', 'AbortError'));
  await assert.rejects(stuck, { name: 'AbortError' });
});

test('http and loki: by tls with certificates of both sides; a receiver that nobody vouches for gets nothing', async () => {
  using certificates = makeCertificates();
  await using receiver = await HttpReceiver.listen(3100, { tls: { ...certificates.server, ca: certificates.ca } });
  const { ca, client } = certificates;
  const secure = url.replace('http:', 'https:');
  const own = { 'http-url': secure, 'http-tls-cert': client.cert, 'http-tls-key': client.key };
  await using known = await SentLog.open(http, { ...own, 'http-tls-ca-cert': ca });
  await known.send(['one']);
  const tls = { 'loki-tls-ca-file': ca, 'loki-tls-cert-file': client.cert, 'loki-tls-key-file': client.key };
  await using pushed = await SentLog.open(loki, { 'loki-url': secure, ...tls });
  await pushed.send(['two']);
  await using unknown = await SentLog.open(http, own);
  await assert.rejects(unknown.send(['secret']), { code: 'unavailable', message: /certificate|self-signed|verify/i });
  assert.equal(receiver.posted.length, 2);
});

const bad = {
  loki: [
    [{ zz: '1' }, /^unknown log opt 'zz' for loki log driver$/],
    [{ 'loki-url': 'ftp://h' }, /loki-url=ftp:\/\/h/],
    [{ 'loki-external-labels': 'a b=c' }, /"a b=c" must be NAME=VALUE/],
    [{ 'loki-external-labels': 'a={{.Nope}}' }, /\{\{\.Nope\}\}/],
    [{ 'loki-timeout': '10' }, /loki-timeout=10/],
    [{ 'loki-retries': 'many' }, /loki-retries=many/],
    [{ 'loki-min-backoff': 'x' }, /loki-min-backoff=x/],
    [{ 'loki-gzip': 'x' }, /loki-gzip=x/],
    [{ 'loki-url': 'https://h', 'loki-tls-ca-file': '/nope' }, /^open \/nope: no such file or directory$/],
  ],
  http: [
    [{ zz: '1' }, /^unknown log opt 'zz' for http log driver$/],
    [{ 'http-url': 'h' }, /http-url=h/],
    [{ 'http-format': 'xml' }, /http-format=xml/],
    [{ 'http-headers': 'nothing' }, /"nothing" must be "Name: value"/],
    [{ 'http-headers': 'A: b\r\nC: d' }, /must not have a newline|must be "Name: value"/],
    [{ 'http-retries': '-1' }, /http-retries=-1/],
    [{ 'http-url': 'https://h', 'http-tls-cert': '/etc/hosts' }, /needs its key/],
  ],
} as const;
for (const [name, module] of Object.entries({ loki, http })) {
  for (const [options, message] of bad[name === 'loki' ? 'loki' : 'http']) {
    test(`${name} refuses ${JSON.stringify(options)}`, async () => {
      await using sent = await SentLog.open(module, {});
      await assert.rejects(sent.validate({ [`${name}-url`]: url, ...options }), { code: 'invalid_argument', message });
    });
  }
}
