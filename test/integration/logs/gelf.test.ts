import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { test } from 'node:test';
import gelf from '../../../plugins/log/gelf/main.ts';
import { GelfReceiver } from '../../support/servers/gelf-receiver.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { Rsyslog } from '../../support/servers/rsyslog.ts';
import { entryOf, SentLog, untilTrue as until } from '../../support/servers/sent-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const port = 12_201;
const udp = { 'gelf-address': `udp://127.0.0.1:${port}` };
/** What no compression makes fit into one datagram. */
const noise = Array.from({ length: 256 }, (_, index) => createHash('sha256').update(`${index}`).digest('hex')).join('');

for (const [type, magic] of [
  ['gzip', 0x1f],
  ['zlib', 0x78],
  ['none', 0x7b],
] as const) {
  test(`gelf: messages by udp are Docker's, compressed with ${type}, in chunks when they are long`, async () => {
    const heads: (number | undefined)[] = [];
    using receiver = new GelfReceiver(port, (bytes) => heads.push(bytes[0]));
    await using sent = await SentLog.open(
      gelf,
      { ...udp, 'gelf-compression-type': type, labels: 'team', env: '_SIZE', tag: '{{.ImageName}}' },
      { name: 'web', labels: { team: 'a' }, env: ['_SIZE=1'], command: ['sh', '-c', 'x'] },
    );
    const entries = [entryOf('out'), entryOf('err', { source: 'stderr' }), entryOf(''), entryOf(`long ${noise}`)];
    assert.deepEqual(await sent.send(entries), [4]);
    await until(() => receiver.messages.length === 3);
    const [out, err] = [...receiver.of('out'), ...receiver.of('err')];
    const { id, imageId } = sent.container;
    assert.deepEqual(out, {
      version: '1.1',
      host: hostname(),
      short_message: 'out',
      timestamp: 1_700_000_000.123,
      level: 6,
      _command: 'sh -c x',
      _container_id: id,
      _container_name: 'web',
      _created: '1970-01-01T00:00:00.000Z',
      _image_id: imageId,
      _image_name: 'busybox',
      _tag: 'busybox',
      _team: 'a',
      _SIZE: '1',
    });
    assert.equal(err?.['level'], 3);
    assert.equal(receiver.of('long')[0]?.['short_message'], `long ${noise}`);
    assert.equal(heads[0], magic);
    assert.ok(heads.filter((head) => head === 0x1e).length > 2, 'in chunks');
  });
}

test('gelf: what does not fit into 128 datagrams is dropped and counted, and holds up nothing', async () => {
  using receiver = new GelfReceiver(port);
  const labels = { huge: noise.repeat(12) };
  await using sent = await SentLog.open(gelf, { ...udp, 'gelf-compression-type': 'none', labels: 'huge' }, { labels });
  assert.deepEqual(await sent.send(['one', 'two']), [2]);
  assert.ok(
    sent.host.log.some((line) => JSON.stringify(line).includes('"lost":2')),
    JSON.stringify(sent.host.log),
  );
  assert.equal(receiver.messages.length, 0);
});

test('gelf: by udp a host without a receiver is noticed, and gets everything when there is one', async () => {
  await using sent = await SentLog.open(gelf, udp);
  await assert.rejects(sent.send(['one']), { code: 'unavailable', message: /udp:\/\/127\.0\.0\.1:12201.*ECONNREFUSED/ });
  using receiver = new GelfReceiver(port);
  assert.deepEqual(await sent.send(['one']), [1]);
  await until(() => receiver.of('one').length === 1);
});

test('gelf: by tcp messages end with a NUL; a receiver that was killed loses nothing', async () => {
  await using receiver = await Rsyslog.start();
  const texts = (): readonly unknown[] =>
    receiver.messages().map(({ raw }) => (JSON.parse(raw) as { short_message: unknown }).short_message);
  const address = { 'gelf-address': `tcp://127.0.0.1:${receiver.ports.gelf}` };
  await using sent = await SentLog.open(gelf, { ...address, 'gelf-tcp-max-reconnect': '0' });
  assert.deepEqual(await sent.send(['one', `two ${noise}`]), [2]);
  await until(() => texts().length === 2);
  assert.deepEqual(texts(), ['one', `two ${noise}`]);
  await receiver.kill();
  await assert.rejects(sent.send(['three'], { firstSeq: 3 }), { code: 'unavailable' });
  await using patient = await SentLog.open(gelf, { ...address, 'gelf-tcp-max-reconnect': '100', 'gelf-tcp-reconnect-delay': '0' });
  const [waiting] = [patient.send(['patient']), await receiver.resume()];
  assert.deepEqual(await waiting, [1]);
  await sent.send(['three'], { firstSeq: 3 });
  await until(() => texts().includes('three') && texts().includes('patient'));
});

const bad: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ zz: '1' }, /^unknown log opt 'zz' for gelf log driver$/],
  [{ 'gelf-address': 'h:1' }, /^gelf-address should be in form proto:\/\/address, got h:1$/],
  [{ 'gelf-address': 'http://h:1' }, /^unsupported scheme: 'http'$/],
  [{ 'gelf-address': 'udp://h' }, /^please provide gelf-address as udp:\/\/host:port/],
  [{ 'gelf-compression-type': 'lzma' }, /^unknown value "lzma" for log opt "gelf-compression-type" for gelf log driver$/],
  [{ 'gelf-compression-level': '10' }, /^unknown value "10" for log opt "gelf-compression-level" for gelf log driver$/],
  [{ 'gelf-tcp-max-reconnect': '1' }, /^"gelf-tcp-max-reconnect" is only valid for TCP$/],
  [{ 'gelf-address': 'tcp://h:1', 'gelf-tcp-reconnect-delay': '-1' }, /^"gelf-tcp-reconnect-delay" must be a positive integer/],
  [{ 'gelf-address': 'tcp://h:1', 'gelf-compression-level': '1' }, /^compression is only supported on UDP$/],
];
for (const [options, message] of bad) {
  test(`gelf refuses ${JSON.stringify(options)}`, async () => {
    await using sent = await SentLog.open(gelf, {});
    await assert.rejects(sent.validate({ ...udp, ...options }), { code: 'invalid_argument', message });
  });
}

test('gelf wants to know where the receiver is', async () => {
  await using sent = await SentLog.open(gelf, {});
  await assert.rejects(sent.validate({}), { code: 'invalid_argument', message: /gelf-address.*is missing/ });
});
