import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { listFlows } from '@gantry/sdk/linux';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { greet, Machine, Neighbour, reach, run } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const on = (NetworkMode: string, HostPort = '8080') => ({ hostConfig: { NetworkMode, PortBindings: { '80/tcp': [{ HostPort }] } } });
const shown = (machine: Machine, container: { readonly id: string; readonly config: object; readonly hostConfig: object }) =>
  machine.room.ports(container)['80/tcp']?.map(({ hostPort }) => hostPort);

test('published ports follow the container’s way out when networks come and go, on the same host ports', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  for (const [name, Subnet] of [
    ['aaa', '10.40.0.0/24'],
    ['mmm', '10.41.0.0/24'],
  ] as const)
    await machine.room.create({ name, ipam: { Config: [{ Subnet }] } });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'mmm', PortBindings: { '80/tcp': [{ HostPort: '' }] } } });
  await web.serve(80);
  const [port = 0] = shown(machine, web) ?? [];
  assert.ok(port > 0);
  const target = async () => /: (10\.4\d\.0\.\d+) /.exec(await run('', 'nft', 'list', 'map', 'inet', 'gantry', 'publish4'))?.[1];
  assert.equal(await target(), '10.41.0.2');
  await machine.room.connect('aaa', 'web', {});
  assert.equal(await target(), '10.40.0.2', 'the first by name is the way out');
  assert.equal(await neighbour.reach('10.99.0.1', port), 'web to 10.99.0.2');
  await machine.room.disconnect('aaa', 'web', { force: false });
  assert.equal(await target(), '10.41.0.2');
  assert.equal(await neighbour.reach('10.99.0.1', port), 'web to 10.99.0.2');
  await machine.room.connect('aaa', 'web', { GwPriority: -1 });
  assert.equal(await target(), '10.41.0.2', 'priorities count');
  assert.deepEqual(shown(machine, web), [port, port]);
  await machine.room.disconnect('aaa', 'web', { force: false });
  await machine.room.disconnect('mmm', 'web', { force: false });
  assert.deepEqual(shown(machine, web), undefined);
  (await greet('', { port, ip: '0.0.0.0', greeting: 'free' })).close();
});

test('ports of a container on internal networks are published when it gets a way out; a taken one keeps it from that network', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'inner', internal: true });
  await machine.room.create({ name: 'outer' });
  const web = await machine.run('web', on('inner'));
  await web.serve(80);
  assert.equal(shown(machine, web), undefined);
  const rival = await greet('', { port: 8080, ip: '0.0.0.0', greeting: 'rival' });
  await assert.rejects(machine.room.connect('outer', 'web', {}), {
    code: 'conflict',
    message: /0\.0\.0\.0:8080\/tcp: address already in use/,
  });
  assert.deepEqual([Object.keys(machine.room.inspect('outer').containers), Object.keys(web.networks)], [[], []]);
  assert.match(await web.run('ip', 'link'), /eth0(?![\s\S]*eth1)/);
  rival.close();
  await machine.room.connect('outer', 'web', {});
  assert.equal(await neighbour.reach('10.99.0.1', 8080), 'web to 10.99.0.2');
  await machine.room.disconnect('outer', 'web', { force: false });
  assert.equal(await neighbour.reach('10.99.0.1', 8080), '');
});

test('a client that keeps sending datagrams reaches the container as soon as its port is published, and its successor after it', async () => {
  await using machine = await Machine.start();
  await machine.run('quiet');
  const wishes = { hostConfig: { PortBindings: { '53/udp': [{ HostPort: '5353' }] } } };
  const client = createSocket('udp4');
  const heard: string[] = [];
  client.on('message', (message) => heard.push(message.toString()));
  client.on('error', () => undefined);
  const sending = setInterval(() => client.send('hello', 5353, '127.0.0.1'), 20);
  const until = async (wanted: string) => {
    for (let look = 0; look < 100 && heard.at(-1) !== wanted; look += 1) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(heard.at(-1), wanted);
  };
  try {
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(
      listFlows(17).some(({ destinationPort, isMapped }) => destinationPort === 5353 && !isMapped),
      'the kernel follows the flow to nobody',
    );
    const first = await machine.run('first', wishes);
    await first.echo(53);
    await until('first:hello');
    const gone = first.address;
    await first.stop();
    assert.deepEqual(
      listFlows(17).filter(({ answeredBy }) => answeredBy === gone),
      [],
    );
    await machine.run('heir of its address');
    const second = await machine.run('second', wishes);
    assert.notEqual(second.address, gone);
    await second.echo(53);
    await until('second:hello');
  } finally {
    clearInterval(sending);
    client.close();
  }
});

test('a hundred published ports are one transaction, and each leads where it should', async () => {
  await using machine = await Machine.start();
  const ports = Array.from({ length: 100 }, (_, index) => 20_000 + index);
  const web = await machine.run('web', {
    hostConfig: { PortBindings: Object.fromEntries(ports.map((port) => [`${port - 19_000}/tcp`, [{ HostPort: String(port) }]])) },
  });
  for (const port of [1_000, 1_099]) await web.serve(port);
  assert.equal(await reach('', '127.0.0.1', 20_000), 'web to 172.17.0.1');
  assert.equal(await reach('', '127.0.0.1', 20_099), 'web to 172.17.0.1');
  assert.equal(Object.keys(machine.room.ports(web)).length, 100);
});

test('the settings of the container’s own interface that a user wishes are made, and no others are taken', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop' });
  const option = 'com.docker.network.endpoint.sysctls';
  const wish = (text: string) => ({ hostConfig: { NetworkMode: 'shop' }, networks: { shop: { DriverOpts: { [option]: text } } } });
  const web = await machine.run('web', wish('net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.forwarding=0'));
  assert.equal(await web.run('sysctl', '-n', 'net.ipv4.conf.eth0.log_martians', 'net.ipv4.conf.eth0.forwarding'), '1\n0\n');
  for (const text of [
    'net.ipv4.ip_forward=1',
    'kernel.core_pattern=|/x',
    'net.ipv4.conf.all.forwarding=1',
    'net.ipv4.conf.IFNAME.x',
    'net.ipv4.conf.IFNAME.x=1\n2',
  ])
    await assert.rejects(machine.run('bad', wish(text)), { code: 'invalid_argument', message: /is not net\.X\.Y\.IFNAME\.Z=value/ }, text);
});
