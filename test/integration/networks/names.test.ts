import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { decode, encode, type Packet, streamEncode } from 'dns-packet';
import { mount } from '@gantry/sdk/linux';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type Container, Machine } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();
hostServers();
mount('/run/resolv.conf', '/etc/resolv.conf', { flags: new Set(['bind']) });

test('containers on a user’s network find each other by name, alias, short id, hostname and name.network', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop' });
  const web = await machine.run('web', {
    config: { Hostname: 'front' },
    hostConfig: { NetworkMode: 'shop' },
    networks: { shop: { Aliases: ['www', 'WWW2'] } },
  });
  const client = await machine.run('client', { hostConfig: { NetworkMode: 'shop' } });
  assert.match(client.sandbox?.resolvConf ?? '', /^nameserver 127\.0\.0\.11\n(search .*\n)?options ndots:0$/m);
  for (const name of ['web', 'WEB', 'www', 'www2', web.id.slice(0, 12), 'front', 'web.shop']) {
    assert.deepEqual((await ask(client, name)).answers, [web.address], name);
  }
  assert.deepEqual(web.sandbox?.endpoints[0]?.dnsNames, ['web', 'www', 'WWW2', web.id.slice(0, 12), 'front']);
  assert.deepEqual(await ask(client, 'web', { type: 'AAAA' }), { code: 'NOERROR', answers: [] });
  assert.deepEqual(await ask(client, 'web', { type: 'MX' }), { code: 'NOERROR', answers: [] });
  const reversed = `${web.address.split('.').toReversed().join('.')}.in-addr.arpa`;
  assert.deepEqual(await ask(client, reversed, { type: 'PTR' }), { code: 'NOERROR', answers: ['web.shop'] });
  assert.deepEqual((await ask(client, 'web', { transport: 'tcp' })).answers, [web.address]);
});

test('an alias that two containers have gives both addresses, and follows them', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop' });
  const wishes = { hostConfig: { NetworkMode: 'shop' }, networks: { shop: { Aliases: ['api'] } } };
  const [one, two] = [await machine.run('one', wishes), await machine.run('two', wishes)];
  const client = await machine.run('client', { hostConfig: { NetworkMode: 'shop' } });
  assert.deepEqual((await ask(client, 'api')).answers.toSorted(), [one.address, two.address].toSorted());
  await one.stop();
  assert.deepEqual((await ask(client, 'api')).answers, [two.address]);
  two.name = 'renamed';
  machine.room.renamed(two.id, 'renamed');
  assert.deepEqual((await ask(client, 'renamed')).answers, [two.address]);
  assert.equal((await ask(client, 'two')).code, 'SERVFAIL', 'nobody has that name, and nobody could be asked');
});

test('answers live for ten minutes, and those with several addresses come in any order', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop', ipv6: true });
  const wishes = { hostConfig: { NetworkMode: 'shop' }, networks: { shop: { Aliases: ['api'] } } };
  const containers = [await machine.run('one', wishes), await machine.run('two', wishes), await machine.run('three', wishes)];
  const client = await machine.run('client', { hostConfig: { NetworkMode: 'shop' } });
  const first = new Set<unknown>();
  for (let look = 0; look < 40 && first.size < containers.length; look += 1) {
    const { answers = [] } = await exchange(client, 'api');
    assert.deepEqual(
      answers.map((answer) => 'ttl' in answer && answer.ttl),
      [600, 600, 600],
    );
    first.add(answers[0] !== undefined && 'data' in answers[0] && answers[0].data);
  }
  assert.deepEqual(first, new Set(containers.map(({ address }) => address)));
  assert.equal((await ask(client, 'api', { type: 'AAAA' })).answers.length, containers.length);
});

test('names of another network are not seen', async () => {
  await using machine = await Machine.start();
  for (const name of ['red', 'blue']) await machine.room.create({ name });
  await machine.run('secret', { hostConfig: { NetworkMode: 'blue' } });
  const client = await machine.run('client', { hostConfig: { NetworkMode: 'red' } });
  assert.deepEqual((await ask(client, 'secret')).answers, []);
});

test('a container may serve port 53 itself beside the embedded server', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop' });
  const own = await machine.run('own', { hostConfig: { NetworkMode: 'shop' } });
  await own.echo(53);
  await own.serve(53);
  assert.deepEqual((await ask(own, 'own')).answers, [own.address]);
});

test('other names are asked of this machine’s servers, the next one after a failure, and not from internal networks', async () => {
  await using machine = await Machine.start();
  await using good = await upstream('127.0.0.54', '192.0.2.1');
  await using _bad = await upstream('127.0.0.55', undefined);
  await machine.room.create({ name: 'shop' });
  await machine.room.create({ name: 'inner', internal: true });
  hostServers('127.0.0.56', '127.0.0.55', '127.0.0.54');
  const client = await machine.run('client', { hostConfig: { NetworkMode: 'shop' } });
  assert.deepEqual(await ask(client, 'example.org'), { code: 'NOERROR', answers: ['192.0.2.1'] });
  assert.equal(good.asked, 1);
  const wishing = await machine.run('wishing', { hostConfig: { NetworkMode: 'shop', Dns: ['127.0.0.54'] } });
  assert.deepEqual((await ask(wishing, 'example.org', { transport: 'tcp' })).answers, ['192.0.2.1']);
  const inner = await machine.run('inner', { hostConfig: { NetworkMode: 'inner' } });
  assert.deepEqual(await ask(inner, 'example.org'), { code: 'SERVFAIL', answers: [] });
  assert.equal(good.asked, 2);
  hostServers();
  const alone = await machine.run('alone', { hostConfig: { NetworkMode: 'shop' } });
  assert.equal((await ask(alone, 'example.org')).code, 'SERVFAIL');
});

test('an answer too long for a datagram is cut and had in full over TCP; junk is not answered', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop' });
  const wishes = { hostConfig: { NetworkMode: 'shop' }, networks: { shop: { Aliases: ['many'] } } };
  for (let index = 0; index < 40; index += 1) await machine.run(`c${index}`, wishes);
  const client = await machine.run('client', { hostConfig: { NetworkMode: 'shop' } });
  assert.deepEqual((await ask(client, 'many')).answers, []);
  assert.equal((await ask(client, 'many', { transport: 'tcp' })).answers.length, 40);
  assert.equal(await client.run(process.execPath, '-e', sender('udp', Buffer.from('junk'))), '');
  assert.deepEqual((await ask(client, 'client')).answers, [client.address], 'and the server lives on');
});

test('the default network copies this machine’s resolv.conf without servers that only it can reach', async () => {
  await using machine = await Machine.start();
  hostServers('127.0.0.1', '192.0.2.53');
  const one = await machine.run('one', { hostConfig: { DnsSearch: ['example.org'], DnsOptions: ['timeout:1'] } });
  assert.deepEqual(lines(one), ['nameserver 192.0.2.53', 'search example.org', 'options timeout:1']);
  hostServers('127.0.0.1');
  assert.deepEqual(lines(await machine.run('two')), ['nameserver 8.8.8.8', 'nameserver 8.8.4.4']);
  assert.deepEqual(lines(await machine.run('three', { hostConfig: { NetworkMode: 'host' } })), ['nameserver 127.0.0.1']);
  assert.deepEqual(lines(await machine.run('four', { hostConfig: { Dns: ['1.1.1.1'] } })), ['nameserver 1.1.1.1']);
});

test('a name without dots is not asked outside when the container’s resolver adds search domains to it', async () => {
  await using machine = await Machine.start();
  await using outside = await upstream('127.0.0.54', '192.0.2.1');
  await machine.room.create({ name: 'shop' });
  const wishes = (DnsOptions: readonly string[]) => ({ hostConfig: { NetworkMode: 'shop', Dns: ['127.0.0.54'], DnsOptions } });
  const [searching, plain] = [await machine.run('searching', wishes(['ndots:2'])), await machine.run('plain', wishes(['ndots:0']))];
  assert.deepEqual(await ask(searching, 'printer'), { code: 'NXDOMAIN', answers: [] });
  assert.equal(outside.asked, 0);
  assert.deepEqual((await ask(searching, 'printer.example.org')).answers, ['192.0.2.1']);
  assert.deepEqual((await ask(searching, 'plain')).answers, [plain.address]);
  assert.deepEqual((await ask(plain, 'printer')).answers, ['192.0.2.1']);
});

/** What this machine's /etc/resolv.conf says from now on. */
function hostServers(...servers: readonly string[]): void {
  writeFileSync('/run/resolv.conf', servers.map((server) => `nameserver ${server}\n`).join(''));
}

function lines({ sandbox }: Container): readonly string[] {
  return (sandbox?.resolvConf ?? '').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

interface AskOptions {
  readonly type?: 'A' | 'AAAA' | 'PTR' | 'MX';
  readonly transport?: 'udp' | 'tcp';
}

async function ask(
  client: Container,
  name: string,
  options: AskOptions = {},
): Promise<{ readonly code: string; readonly answers: readonly string[] }> {
  const answer = await exchange(client, name, options);
  return {
    code: answer.rcode ?? '',
    answers: (answer.answers ?? []).flatMap((one) => ('data' in one && typeof one.data === 'string' ? [one.data] : [])),
  };
}

async function exchange(
  client: Container,
  name: string,
  { type = 'A', transport = 'udp' }: AskOptions = {},
): Promise<Packet & { readonly rcode?: string }> {
  const question: Packet = { type: 'query', id: 7, flags: 256, questions: [{ type, name }] };
  const output = await client.run(
    process.execPath,
    '-e',
    sender(transport, transport === 'tcp' ? streamEncode(question) : encode(question)),
  );
  const bytes = Buffer.from(output, 'hex');
  const answer = decode(transport === 'tcp' ? bytes.subarray(2) : bytes) as Packet & { readonly rcode?: string };
  assert.equal(answer.id, 7);
  return answer;
}

function sender(transport: 'udp' | 'tcp', message: Buffer): string {
  const hex = message.toString('hex');
  const say = "m=>{process.stdout.write(m.toString('hex'));process.exit()}";
  const give = `setTimeout(()=>process.exit(),6000)`;
  if (transport === 'udp') {
    const wait = message.length < 12 ? 'setTimeout(()=>process.exit(),300)' : give;
    return `const s=require('dgram').createSocket('udp4');s.on('message',${say});s.send(Buffer.from('${hex}','hex'),53,'127.0.0.11');${wait}`;
  }
  return `let t=Buffer.alloc(0);const s=require('net').connect(53,'127.0.0.11');s.on('data',d=>{t=Buffer.concat([t,d]);if(t.length>=2&&t.length>=2+t.readUInt16BE())(${say})(t)});s.write(Buffer.from('${hex}','hex'));${give}`;
}

/** A name server of this machine that gives every name this address; without one it says SERVFAIL. */
async function upstream(ip: string, address: string | undefined) {
  const state = { asked: 0 };
  const reply = (message: Buffer): Buffer => {
    state.asked += 1;
    const { id = 0, questions = [] } = decode(message);
    const answers = address === undefined ? [] : questions.map(({ name }) => ({ type: 'A' as const, name, ttl: 1, data: address }));
    return encode({ type: 'response', id, flags: address === undefined ? 2 : 0, questions, answers });
  };
  const udp = createSocket('udp4', (message, from) => udp.send(reply(message), from.port, from.address));
  const tcp = createServer((socket) =>
    socket.once('data', (data: Buffer) => {
      const answer = reply(data.subarray(2));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.end(Buffer.concat([length, answer]));
    }),
  );
  await new Promise<void>((resolve) => udp.bind(53, ip, resolve));
  await new Promise<void>((resolve) => tcp.listen(53, ip, resolve));
  return {
    get asked() {
      return state.asked;
    },
    [Symbol.asyncDispose]: async () => {
      udp.close();
      tcp.close();
    },
  };
}
