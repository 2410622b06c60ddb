import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rtnetlink } from '@gantry/sdk/linux';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { greet, linkNames, Machine, Neighbour, reach, run, whyNoLinks } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const lan = { Config: [{ Subnet: '10.99.0.0/24', IPRange: '10.99.0.128/25', Gateway: '10.99.0.2' }] };
const on = (NetworkMode: string) => ({ hostConfig: { NetworkMode } });

test('macvlan: containers are neighbours on the wire of the parent link, each under its own addresses, and apart from the machine', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'lan', driver: 'macvlan', ipam: lan, options: { parent: 'wire' } });
  const web = await machine.run('web', {
    ...on('lan'),
    hostConfig: { NetworkMode: 'lan', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
    networks: { lan: { MacAddress: '02:00:00:00:00:07' } },
  });
  const other = await machine.run('other', on('lan'));
  await web.serve(80);
  assert.equal(web.address, '10.99.0.128');
  assert.equal(await neighbour.reach(web.address, 80), 'web to 10.99.0.2');
  assert.equal(await other.reach(web.address, 80), `web to ${other.address}`);
  assert.match(await run(neighbour.netns, 'ip', 'neighbour', 'show', web.address), /02:00:00:00:00:07/);
  const outside = await greet(neighbour.netns, { port: 7000, ip: '10.99.0.2', greeting: 'outside' });
  assert.equal(await web.reach('10.99.0.2', 7000), `outside to ${web.address}`, 'without NAT');
  outside.close();
  assert.match(await web.run('ip', 'route'), /^default via 10\.99\.0\.2 dev eth0/m);
  assert.equal(await reach('', web.address, 80), '', 'the kernel keeps a parent and its macvlans apart');
  assert.deepEqual(web.sandbox?.ports, {}, 'nothing is published, since nothing needs to be');
  assert.match(web.sandbox?.resolvConf ?? '', /nameserver 127\.0\.0\.11/);
  assert.equal(await web.run('ip', '-6', 'address', 'show', 'eth0'), '', 'no IPv6 that nobody asked for');
  const before = web.address;
  await web.stop();
  const next = await machine.run('next', on('lan'));
  assert.equal(next.address, before, 'the address is free at once');
  await next.serve(80);
  assert.equal(await neighbour.reach(next.address, 80), 'next to 10.99.0.2');
});

test('macvlan mode private keeps containers apart; passthru takes the parent for one and says so', async () => {
  using _neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shy', driver: 'macvlan', ipam: lan, options: { parent: 'wire', macvlan_mode: 'private' } });
  const [one, two] = [await machine.run('one', on('shy')), await machine.run('two', on('shy'))];
  await one.serve(80);
  assert.equal(await two.reach(one.address, 80), '');
  for (const container of [one, two]) await container.stop();
  await machine.room.create({ name: 'whole', driver: 'macvlan', options: { parent: 'wire', macvlan_mode: 'passthru' } });
  const first = await machine.run('first', on('whole'));
  await assert.rejects(machine.run('second', on('whole')), { code: 'conflict' });
  assert.deepEqual(Object.keys(machine.room.inspect('whole').containers), [first.id]);
  await first.stop();
  await machine.run('third', on('whole'));
});

test('macvlan on a VLAN of a link makes that link, and takes it away with the network', { skip: whyNoLinks('vlan') }, async () => {
  using neighbour = new Neighbour();
  await run(neighbour.netns, 'ip', 'link', 'add', 'link', 'eth0', 'name', 'v20', 'type', 'vlan', 'id', '20');
  await run(neighbour.netns, 'ip', 'address', 'add', '10.20.0.1/24', 'dev', 'v20');
  await run(neighbour.netns, 'ip', 'link', 'set', 'v20', 'up');
  {
    await using machine = await Machine.start();
    const wish = { driver: 'macvlan', options: { parent: 'wire.20' } };
    await machine.room.create({ name: 'twenty', ...wish, ipam: { Config: [{ Subnet: '10.20.0.0/24', Gateway: '10.20.0.1' }] } });
    const web = await machine.run('web', on('twenty'));
    await web.serve(80);
    assert.equal(await neighbour.reach(web.address, 80), 'web to 10.20.0.1');
    assert.ok(linkNames().includes('wire.20'));
    await assert.rejects(machine.room.create({ name: 'rival', ...wish }), {
      code: 'conflict',
      message: "cannot make network rival: interface wire.20 is network twenty's",
    });
  }
  assert.equal(linkNames().includes('wire.20'), false);
});

test('macvlan without a parent, and internal: containers reach each other and nothing else', { skip: whyNoLinks('dummy') }, async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'alone', driver: 'macvlan' });
  await machine.room.create({ name: 'inner', driver: 'macvlan', internal: true });
  for (const name of ['alone', 'inner']) {
    const [one, two] = [await machine.run(`${name}1`, on(name)), await machine.run(`${name}2`, on(name))];
    await one.serve(80);
    assert.equal(await two.reach(one.address, 80), `${name}1 to ${two.address}`);
    assert.doesNotMatch(await one.run('ip', 'route'), /default/);
    neighbour.route('172.16.0.0/12');
    assert.equal(await neighbour.reach(one.address, 80), '');
  }
});

test('macvlan joins a running container’s other networks; names of all are answered, and the way out is by priority', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop' });
  await machine.room.create({ name: 'lan', driver: 'macvlan', ipam: lan, options: { parent: 'wire' } });
  const web = await machine.run('web', on('shop'));
  await web.serve(80);
  await machine.room.connect('lan', 'web', { GwPriority: 5 });
  assert.match(await web.run('ip', 'route'), /^default via 10\.99\.0\.2 dev eth1/m);
  const address = machine.room.inspect('lan').containers[web.id]?.ipv4.split('/')[0] ?? '';
  assert.equal(await neighbour.reach(address, 80), 'web to 10.99.0.2');
  await machine.room.disconnect('lan', 'web', { force: false });
  assert.match(await web.run('ip', 'route'), /^default via 172\.18\.0\.1 dev eth0/m);
  assert.equal(await neighbour.reach(address, 80), '');
});

test('macvlan with several subnets of a family gives addresses of the wished one, and goes on to the next when one is full', async () => {
  using _neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({
    name: 'wide',
    driver: 'macvlan',
    ipv6: true,
    options: { parent: 'wire' },
    ipam: { Config: [{ Subnet: '10.50.0.0/30' }, { Subnet: '10.51.0.0/24', Gateway: '10.51.0.9' }, { Subnet: 'fd50::/64' }] },
  });
  const wish = (IPv4Address: string) => ({ ...on('wide'), networks: { wide: { IPAMConfig: { IPv4Address } } } });
  const first = await machine.run('first', on('wide'));
  const second = await machine.run('second', on('wide'));
  const third = await machine.run('third', wish('10.51.0.77'));
  assert.deepEqual([first.address, second.address, third.address], ['10.50.0.2', '10.51.0.1', '10.51.0.77']);
  assert.match(await third.run('ip', 'route'), /default via 10\.51\.0\.9/);
  assert.match(await third.run('ip', '-6', 'address', 'show', 'eth0'), /fd50::/);
  await first.stop();
  assert.equal((await machine.run('fourth', on('wide'))).address, '10.50.0.2');
});

test('macvlan: a parent that is not there is said by name, and nothing stays', async () => {
  await using machine = await Machine.start();
  await assert.rejects(machine.room.create({ name: 'lost', driver: 'macvlan', options: { parent: 'gone7' } }), {
    code: 'conflict',
    message: /network interface gone7 is not there/,
  });
  assert.deepEqual(machine.room.list({ filters: { type: ['custom'] } }), []);
  await machine.room.create({ name: 'good' });
});

test('a deleted wire of a network without a parent is back with its containers’ links', { skip: whyNoLinks('dummy') }, async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'alone', driver: 'macvlan' });
  const [one, two] = [await machine.run('one', on('alone')), await machine.run('two', on('alone'))];
  await one.serve(80);
  using here = Rtnetlink.open();
  assert.ok(here.linkDelete(`dm-${machine.room.inspect('alone').id.slice(0, 12)}`));
  assert.equal(await two.reach(one.address, 80), '');
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  assert.equal(await two.reach(one.address, 80), `one to ${two.address}`);
});

test('a kernel without a kind of link is said so, with what to load', {
  skip: whyNoLinks('dummy') === false && 'this kernel has them',
}, async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'alone', driver: 'macvlan' });
  await assert.rejects(machine.run('one', on('alone')), {
    code: 'unavailable',
    message: /kernel makes no dummy links/,
    hint: /modprobe dummy/,
  });
});

for (const [options, message] of [
  [{ macvlan_mode: 'sideways' }, /option macvlan_mode of network driver macvlan .*bridge, private, vepa, passthru/],
  [{ parent: 'a/b' }, /option parent of network driver macvlan/],
  [{ parent: '' }, /option parent of network driver macvlan/],
  [{ ipvlan_mode: 'l2' }, /unknown option "ipvlan_mode" for network driver macvlan/],
  [{ 'com.docker.network.driver.mtu': 'zz' }, /option com\.docker\.network\.driver\.mtu of network driver macvlan/],
] as const) {
  test(`NetworksRoom.create() refuses a macvlan with ${JSON.stringify(options)}`, async () => {
    await using machine = await Machine.start();
    await assert.rejects(machine.room.create({ name: 'bad', driver: 'macvlan', options }), { code: 'invalid_argument', message });
    assert.deepEqual(machine.room.list({ filters: { type: ['custom'] } }), []);
  });
}
