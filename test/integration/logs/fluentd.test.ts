import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fluentd from '../../../plugins/log/fluentd/main.ts';
import { makeCertificates } from '../../support/servers/certificates.ts';
import { FluentReceiver } from '../../support/servers/fluent-receiver.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { entryOf, SentLog, untilTrue as until } from '../../support/servers/sent-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const port = 24_224;
const here = { 'fluentd-address': `127.0.0.1:${port}` };

for (const ack of ['false', 'true']) {
  test(`fluentd: records are Docker's, request-ack=${ack}`, async () => {
    await using receiver = await FluentReceiver.listen({ port, host: '127.0.0.1' });
    await using sent = await SentLog.open(
      fluentd,
      { ...here, 'fluentd-request-ack': ack, 'fluentd-sub-second-precision': 'true', labels: 'team', tag: 'docker.{{.Name}}' },
      { name: 'web', labels: { team: 'a' } },
    );
    const parts = [entryOf('begin', { partial: true }), entryOf('end', { source: 'stdout' })];
    assert.deepEqual(await sent.send([entryOf('out é'), entryOf('err', { source: 'stderr' }), ...parts]), [4]);
    await until(() => receiver.events.length === 4);
    const [out, err, begin, end] = receiver.events;
    const common = { container_id: sent.container.id, container_name: '/web', team: 'a' };
    assert.deepEqual([out?.tag, out?.record], ['docker.web', { ...common, source: 'stdout', log: 'out é' }]);
    assert.equal(err?.record['source'], 'stderr');
    assert.deepEqual(timeOf(out?.time), [1_700_000_000, 123_456_789]);
    const { partial_id: id, ...rest } = begin?.record ?? {};
    assert.deepEqual(rest, {
      ...common,
      source: 'stdout',
      log: 'begin',
      partial_message: 'true',
      partial_ordinal: '1',
      partial_last: 'false',
    });
    assert.deepEqual([end?.record['partial_id'], end?.record['partial_ordinal'], end?.record['partial_last']], [id, '2', 'true']);
  });
}

test('fluentd: times are whole seconds unless they are asked for more finely', async () => {
  await using receiver = await FluentReceiver.listen({ port, host: '127.0.0.1' });
  await using sent = await SentLog.open(fluentd, here);
  await sent.send(['x']);
  await until(() => receiver.events.length === 1);
  assert.equal(receiver.events[0]?.time, 1_700_000_000);
});

test('fluentd: by a unix socket, and by tls with a certificate that the system does not know only to nobody', async () => {
  const path = '/run/fluent.sock';
  await using receiver = await FluentReceiver.listen({ path });
  await using sent = await SentLog.open(fluentd, { 'fluentd-address': `unix://${path}`, 'fluentd-request-ack': 'true' });
  assert.deepEqual(await sent.send(['by unix']), [1]);
  await until(() => receiver.of('by unix').length === 1);
  rmSync(path, { force: true });
  using certificates = makeCertificates();
  const tls = { cert: readFileSync(certificates.server.cert), key: readFileSync(certificates.server.key) };
  await using _secure = await FluentReceiver.listen({ port: 24_225, host: '127.0.0.1' }, tls);
  await using refused = await SentLog.open(fluentd, { 'fluentd-address': 'tls://127.0.0.1:24225' });
  await assert.rejects(refused.send(['secret']), { code: 'unavailable', message: /certificate|verify/i });
});

test('fluentd: a receiver that is away gets everything when it is back, once; with retries it need not be told again', async () => {
  await using sent = await SentLog.open(fluentd, { ...here, 'fluentd-request-ack': 'true' });
  await assert.rejects(sent.send(['1', '2']), { code: 'unavailable', message: /127\.0\.0\.1:24224.*ECONNREFUSED/ });
  {
    await using first = await FluentReceiver.listen({ port, host: '127.0.0.1' });
    assert.deepEqual(await sent.send(['1', '2']), [2]);
    assert.equal(first.events.length, 2);
  }
  await assert.rejects(sent.send(['3'], { firstSeq: 3 }), { code: 'unavailable' });
  await using patient = await SentLog.open(fluentd, { ...here, 'fluentd-max-retries': '100', 'fluentd-retry-wait': '50ms' });
  const waiting = patient.send(['patient']);
  await sleep(200);
  await using second = await FluentReceiver.listen({ port, host: '127.0.0.1' });
  assert.deepEqual(await waiting, [1]);
  assert.deepEqual(await sent.send(['2', '3'], { firstSeq: 2 }), [2, 3]);
  await until(() => second.of('patient').length === 1 && second.of('3').length === 1);
  assert.equal(second.of('2').length, 0);
});

test('fluentd: what a receiver took and did not acknowledge comes again; a wrong acknowledgement is none', async () => {
  const answers = [undefined, Buffer.from('not msgpack'), Buffer.from('81a361636ba178', 'hex')];
  for (const answer of answers) {
    const server = createServer((socket: Socket) => {
      socket.on('error', () => {});
      socket.once('data', () => (answer === undefined ? socket.destroy() : socket.write(answer)));
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    await using sent = await SentLog.open(fluentd, { ...here, 'fluentd-request-ack': 'true' });
    await assert.rejects(sent.send(['x']), { code: 'unavailable' });
    await new Promise((resolve) => server.close(resolve));
  }
});

const bad: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ zz: '1' }, /^unknown log opt 'zz' for fluentd log driver$/],
  [{ 'fluentd-address': 'udp://h' }, /^unsupported scheme: 'udp'$/],
  [{ 'fluentd-address': 'h:nope' }, /invalid fluentd-address h:nope/],
  [{ 'fluentd-address': 'unix://relative' }, /absolute path/],
  [{ 'fluentd-async': 'maybe' }, /fluentd-async=maybe/],
  [{ 'fluentd-request-ack': 'maybe' }, /fluentd-request-ack=maybe/],
  [{ 'fluentd-sub-second-precision': 'maybe' }, /fluentd-sub-second-precision=maybe/],
  [{ 'fluentd-retry-wait': '5' }, /fluentd-retry-wait=5: must be a duration/],
  [{ 'fluentd-max-retries': '-1' }, /fluentd-max-retries=-1/],
  [{ 'fluentd-buffer-limit': 'much' }, /fluentd-buffer-limit=much/],
  [{ 'fluentd-async-reconnect-interval': 'often' }, /fluentd-async-reconnect-interval=often/],
];
for (const [options, message] of bad) {
  test(`fluentd refuses ${JSON.stringify(options)}`, async () => {
    await using sent = await SentLog.open(fluentd, {});
    await assert.rejects(sent.validate(options), { code: 'invalid_argument', message });
  });
}

/** The receiver's own class for EventTime. */
function timeOf(time: unknown): readonly unknown[] {
  return typeof time === 'object' && time !== null ? [Reflect.get(time, 'epoch'), Reflect.get(time, 'nano')] : [time];
}
