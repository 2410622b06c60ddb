import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { nft } from '@gantry/sdk/linux';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { greet, Machine, Neighbour, reach, run } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const published = { hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }], '53/udp': [{ HostPort: '5353' }] } } };

test('a published port is reached on [::1], whether its container has IPv6 or not', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'six', ipv6: true, ipam: { Config: [{ Subnet: 'fd40::/64' }] } });
  const four = await machine.run('four', published);
  await four.serve(80);
  await four.echo(53);
  const six = await machine.run('six', {
    hostConfig: { NetworkMode: 'six', PortBindings: { '80/tcp': [{ HostIp: '::1', HostPort: '8081' }] } },
  });
  await six.serve(80, '::');
  assert.match(await reach('', '::1', 8080), /^four to /);
  assert.match(await reach('', '::1', 8081), /^six to /);
  assert.equal(await ask('::1', 5353), 'four:hello');
  await machine.restart();
  for (const container of [four, six]) await machine.room.adopt(container);
  assert.match(await reach('', '::1', 8080), /^four to /, 'after a restart of the engine');
  await four.stop();
  assert.equal(await reach('', '::1', 8080), '');
  (await greet('', { port: 8080, ip: '::', greeting: 'free' })).close();
});

test('a port on every address of a container without IPv6 is reached over IPv6 from other machines', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const four = await machine.run('four', published);
  await four.serve(80);
  assert.match(await neighbour.reach('fd99::1', 8080), /^four to /);
});

test('with a userland proxy the kernel maps nothing, and the machine’s firewall for its own ports counts', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start({ userlandProxy: true });
  const web = await machine.run('web', published);
  await web.serve(80);
  await web.echo(53);
  assert.match(await neighbour.reach('10.99.0.1', 8080), /^web to /);
  assert.equal(await neighbour.ask('10.99.0.1', 5353), 'web:hello');
  assert.match(await web.reach('10.99.0.1', 8080), /^web to /, 'from its own container');
  assert.doesNotMatch(await run('', 'nft', 'list', 'map', 'inet', 'gantry', 'publish4'), /elements/);
  nft(undefined, 'table inet host { chain input { type filter hook input priority 0; tcp dport 8080 iifname "wire" drop; }; }');
  try {
    assert.equal(await neighbour.reach('10.99.0.1', 8080), '');
    assert.match(await reach('', '127.0.0.1', 8080), /^web to /);
  } finally {
    nft(undefined, 'delete table inet host');
  }
  await machine.restart();
  await machine.room.adopt(web);
  assert.match(await neighbour.reach('10.99.0.1', 8080), /^web to /, 'after a restart of the engine');
});

test('with a userland proxy whatever is sent arrives, both ways and to the end, and connections end with their container', async () => {
  await using machine = await Machine.start({ userlandProxy: true });
  const web = await machine.run('web', published);
  await web.pipe(80);
  const client = connect({ host: '127.0.0.1', port: 8080, allowHalfOpen: true });
  const sent = Buffer.alloc(8 << 20, 'gantry ');
  client.end(sent);
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk as Buffer);
  assert.ok(Buffer.concat(chunks).equals(sent));
  const idle = connect({ host: '127.0.0.1', port: 8080 });
  // The kernel has taken it; whether the thread has, too, decides whether its end is a reset.
  idle.on('error', () => undefined);
  await once(idle, 'connect');
  const ended = once(idle, 'close');
  await web.stop();
  await ended;
});

test('with a userland proxy a port is free as soon as its container ended, or published another way', async () => {
  await using machine = await Machine.start({ userlandProxy: true });
  const web = await machine.run('web', published);
  await web.serve(80);
  await web.serve(81);
  await web.echo(54);
  await web.publish({ '81/tcp': [{ HostPort: '8080' }], '54/udp': [{ HostPort: '5353' }] });
  assert.match(await reach('', '127.0.0.1', 8080), /^web to /);
  await web.stop();
  (await greet('', { port: 8080, ip: '0.0.0.0', greeting: 'free' })).close();
  for (const name of ['one', 'two', 'three']) {
    const next = await machine.run(name, published);
    await next.serve(80);
    assert.match(await reach('', '127.0.0.1', 8080), new RegExp(`^${name} to `));
    await next.stop();
  }
});

async function ask(address: string, port: number): Promise<string> {
  const socket = createSocket('udp6');
  const answer = once(socket, 'message', { signal: AbortSignal.timeout(20_000) });
  socket.send('hello', port, address);
  const [message] = await answer;
  socket.close();
  return String(message);
}
