import assert from 'node:assert/strict';
import { existsSync, symlinkSync, unlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import syslog from '../../../plugins/log/syslog/main.ts';
import { makeCertificates } from '../../support/servers/certificates.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { logContext, loggedInfo } from '../../support/plugins/log-subject.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { openPlaced } from '../../support/plugins/placed-driver.ts';
import { Rsyslog } from '../../support/servers/rsyslog.ts';
import { entryOf, SentLog } from '../../support/servers/sent-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const certificates = makeCertificates();
const receiver = await Rsyslog.start({ tls: { ca: certificates.ca, ...certificates.server } });
after(async () => {
  await receiver[Symbol.asyncDispose]();
  certificates[Symbol.dispose]();
});
const { udp, tcp, tls } = receiver.ports;
const trusted = {
  'syslog-tls-ca-cert': certificates.ca,
  'syslog-tls-cert': certificates.client.cert,
  'syslog-tls-key': certificates.client.key,
};

const transports: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  udp: { 'syslog-address': `udp://127.0.0.1:${udp}` },
  tcp: { 'syslog-address': `tcp://localhost:${tcp}` },
  tls: { 'syslog-address': `tcp+tls://127.0.0.1:${tls}`, ...trusted },
  unix: { 'syslog-address': `unix://${receiver.streamSocket}` },
  unixgram: { 'syslog-address': `unixgram://${receiver.socket}` },
};
for (const [transport, options] of Object.entries(transports)) {
  for (const format of ['rfc3164', 'rfc5424', 'rfc5424micro']) {
    test(`syslog: rsyslogd reads ${format} by ${transport}`, async () => {
      const mark = `${transport}-${format}`;
      await using sent = await SentLog.open(
        syslog,
        { ...options, 'syslog-format': format, 'syslog-facility': 'local3', tag: '{{.Name}}/{{.ID}}' },
        { name: 'web' },
      );
      const long = 'x'.repeat(16_384);
      const entries = [
        entryOf(`${mark} out "é" \\`),
        entryOf(`${mark} err`, { source: 'stderr' }),
        entryOf(''),
        entryOf(`${mark} ${long}`),
      ];
      assert.deepEqual(await sent.send(entries), [4]);
      const messages = await receiver.until((all) => of(all, mark).length === 3);
      const [out, err, big] = of(messages, mark);
      const tag = `web/${sent.container.id.slice(0, 12)}`;
      assert.equal(out?.msg.trimStart(), `${mark} out "é" \\`);
      assert.deepEqual([out?.pri, err?.pri], [String(19 * 8 + 6), String(19 * 8 + 3)]);
      assert.equal(big?.msg.trimStart(), `${mark} ${long}`);
      assert.ok(out?.tag.startsWith(`${tag}[${process.pid}]`), out?.tag);
      // From a socket of this machine it takes neither who sends nor when.
      if (transport === 'unixgram') return;
      assert.equal(out.host, hostname());
      if (format === 'rfc5424') assert.equal(out.time, '2023-11-14T22:13:20Z');
      if (format === 'rfc5424micro') assert.equal(out.time, '2023-11-14T22:13:20.123456Z');
    });
  }
}

for (const kind of ['socket', 'streamSocket'] as const) {
  test(`syslog: without an address it is this machine's, here a ${kind}`, {
    skip: existsSync('/dev/log') && 'this machine has a syslog',
  }, async () => {
    symlinkSync(receiver[kind], '/run/log');
    await using sent = await SentLog.open(syslog, {});
    await sent.send([`local ${kind}`]);
    await receiver.until((all) => of(all, `local ${kind}`).length === 1);
    unlinkSync('/run/log');
    await using alone = await SentLog.open(syslog, {});
    await assert.rejects(alone.send(['x']), { code: 'unavailable', message: /no syslog on this machine/ });
  });
}

test('syslog: a thousand datagrams at once all arrive', async () => {
  await using sent = await SentLog.open(syslog, transports['udp'] ?? {});
  await sent.send(Array.from({ length: 1_000 }, (_, index) => `thousand ${index}`));
  await receiver.until((all) => of(all, 'thousand').length === 1_000);
});

test('syslog: a receiver that was killed loses nothing that was acknowledged, by any transport that can tell', async () => {
  for (const [transport, options] of Object.entries(transports)) {
    const mark = `killed-${transport}`;
    await using sent = await SentLog.open(syslog, options);
    assert.deepEqual(await sent.send([`${mark} 1`, `${mark} 2`]), [2]);
    await receiver.until((all) => of(all, mark).length === 2);
    await receiver.kill();
    await assert.rejects(sent.send([`${mark} 3`], { firstSeq: 3 }), { code: 'unavailable', message: /127\.0\.0\.1|localhost|\.sock/ });
    await receiver.resume();
    assert.deepEqual(await sent.send([`${mark} 2`, `${mark} 3`], { firstSeq: 2 }), [2, 3]);
    await receiver.until((all) => of(all, `${mark} 3`).length === 1);
    assert.equal(of(receiver.messages(), `${mark} 2`).length, 1, 'what was acknowledged is not sent again');
  }
});

test('syslog: a receiver that reads nothing is waited for, and lets go when the engine does', async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on('error', () => {}).pause()));
  await new Promise<void>((resolve) => server.listen(5999, '127.0.0.1', resolve));
  await using sent = await SentLog.open(syslog, { 'syslog-address': 'tcp://127.0.0.1:5999' });
  const leaving = new AbortController();
  const writing = sent.send(
    Array.from({ length: 900 }, () => 'y'.repeat(16_000)),
    { signal: leaving.signal },
  );
  writing.catch(() => {});
  assert.equal(await Promise.race([writing, sleep(1_000, 'waits')]), 'waits');
  leaving.abort(new DOMException('the engine stops', 'AbortError'));
  await assert.rejects(writing, { name: 'AbortError' });
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test('syslog: a receiver with a certificate of somebody else gets nothing, unless it is not to be checked', async () => {
  const address = { 'syslog-address': `tcp+tls://127.0.0.1:${tls}` };
  const { 'syslog-tls-cert': cert, 'syslog-tls-key': key } = trusted;
  await using strict = await SentLog.open(syslog, { ...address, 'syslog-tls-cert': cert, 'syslog-tls-key': key });
  await assert.rejects(strict.send(['secret']), { code: 'unavailable', message: /certificate|self-signed|verify/i });
  await using lax = await SentLog.open(syslog, {
    ...address,
    'syslog-tls-cert': cert,
    'syslog-tls-key': key,
    'syslog-tls-skip-verify': 'true',
  });
  await lax.send(['unchecked']);
  await receiver.until((all) => of(all, 'unchecked').length === 1);
  assert.equal(of(receiver.messages(), 'secret').length, 0);
});

test('syslog: in a process of its own it reaches sockets and files of the machine', async () => {
  await using plugin = await openPlaced({ plugin: 'log/syslog', placement: 'process' });
  const driver = await plugin.driver('log', 'syslog');
  for (const transport of ['unix', 'unixgram', 'tls']) {
    const options = transports[transport] ?? {};
    await driver.validate({ options }, logContext);
    const container = loggedInfo(plugin.folder);
    async function* requests() {
      yield { kind: 'open', streamId: transport, container, options } as const;
      yield { kind: 'batch', firstSeq: 1, entries: [entryOf(`confined ${transport}`)], droppedBefore: 0 } as const;
    }
    assert.deepEqual(await Array.fromAsync(driver.write(requests(), logContext)), [{ ackedSeq: 1 }]);
    await receiver.until((all) => of(all, `confined ${transport}`).length === 1);
  }
});

const bad: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ zz: '1' }, /^unknown log opt 'zz' for syslog log driver$/],
  [{ 'syslog-address': '127.0.0.1:514' }, /syslog-address should be in form proto:\/\/address, got 127/],
  [{ 'syslog-address': 'http://127.0.0.1' }, /^unsupported scheme: 'http'$/],
  [{ 'syslog-address': 'udp://' }, /invalid syslog-address udp:\/\//],
  [{ 'syslog-address': 'udp://host:99999' }, /invalid syslog-address/],
  [{ 'syslog-address': 'tcp://user@host:1' }, /invalid syslog-address/],
  [{ 'syslog-address': 'unix:///nope' }, /^stat \/nope: no such file or directory$/],
  [{ 'syslog-address': 'unixgram://relative' }, /absolute path/],
  [{ 'syslog-facility': 'nobody' }, /^invalid syslog facility: nobody$/],
  [{ 'syslog-facility': '24' }, /^invalid syslog facility: 24$/],
  [{ 'syslog-facility': '-1' }, /^invalid syslog facility: -1$/],
  [{ 'syslog-format': 'rfc1' }, /^Invalid syslog format: rfc1$/],
  [{ 'syslog-tls-skip-verify': 'maybe' }, /syslog-tls-skip-verify=maybe/],
  [{ 'syslog-address': 'tcp+tls://h', 'syslog-tls-ca-cert': '/nope' }, /^open \/nope: no such file or directory$/],
  [{ 'syslog-address': 'tcp+tls://h', 'syslog-tls-ca-cert': '/etc/hosts' }, /\/etc\/hosts has no certificate/],
  [{ 'syslog-address': 'tcp+tls://h', 'syslog-tls-cert': '/etc/hosts' }, /needs its key/],
  [{ tag: '{{.Nope}}' }, /\{\{\.Nope\}\}/],
];
for (const [options, message] of bad) {
  test(`syslog refuses ${JSON.stringify(options)}`, async () => {
    await using sent = await SentLog.open(syslog, {});
    await assert.rejects(sent.validate(options), { code: 'invalid_argument', message });
  });
}

function of<T extends { readonly msg: string }>(messages: readonly T[], mark: string): readonly T[] {
  return messages.filter(({ msg }) => msg.trimStart().startsWith(mark));
}
