import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { nft, Rtnetlink } from '@gantry/sdk/linux';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { greet, linkNames, Machine, Neighbour, reach, run } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

test('NetworksRoom.start() has the three networks and touches nothing in the kernel', async () => {
  const before = linkNames();
  await using machine = await Machine.start();
  assert.deepEqual(
    machine.room.list({}).map(({ name, driver, ipam }) => [name, driver, ipam.Config?.[0]?.Subnet]),
    [
      ['bridge', 'bridge', '172.17.0.0/16'],
      ['host', 'host', undefined],
      ['none', 'null', undefined],
    ],
  );
  assert.deepEqual(linkNames(), before);
  assert.doesNotMatch(await run('', 'nft', 'list', 'tables'), /gantry/);
});

test('NetworksRoom.setup() gives a container on the default network an address, a way out and a hosts line', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const web = await machine.run('web', { config: { Hostname: 'shop', Domainname: 'example.org' } });
  const [endpoint] = web.sandbox?.endpoints ?? [];
  assert.deepEqual(
    [endpoint?.ipAddress, endpoint?.ipPrefixLength, endpoint?.gateway, endpoint?.macAddress],
    ['172.17.0.2', 16, '172.17.0.1', '02:42:ac:11:00:02'],
  );
  assert.deepEqual(web.sandbox?.hostsEntries, ['172.17.0.2\tshop.example.org shop']);
  const outside = await greet(neighbour.netns, { port: 7000, ip: '10.99.0.2', greeting: 'outside' });
  assert.equal(await web.reach('10.99.0.2', 7000), 'outside to 10.99.0.1', 'masqueraded');
  outside.close();
  assert.equal(await web.run('ip', '-6', 'addr', 'show', 'eth0'), '', 'no IPv6 unless the network has it');
  assert.ok((machine.room.statistics(web.id)['eth0']?.txPackets ?? 0) > 0);
});

test('NetworksRoom.teardown() leaves nothing but the default bridge, also twice and after setup() failed', async () => {
  await using machine = await Machine.start();
  const web = await machine.run('web', { hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } });
  const netns = web.netns;
  await assert.rejects(machine.run('rival', { hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } }), {
    code: 'conflict',
    message: 'Bind for 0.0.0.0:8080 failed: port is already allocated to container web',
  });
  await web.stop();
  await machine.room.teardown(web.id);
  assert.equal(existsSync(netns), false);
  assert.equal(machine.room.inspect('bridge').containers[web.id], undefined);
  assert.doesNotMatch(await run('', 'nft', 'list', 'map', 'inet', 'gantry', 'publish4'), /8080/);
  const next = await machine.run('next', { hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } });
  assert.equal(next.address, '172.17.0.2', 'the address is free again');
});

test('a published port is reached from outside, from the machine itself, from siblings and from its own container', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const web = await machine.run('web', {
    config: { ExposedPorts: { '80/tcp': {}, '443/tcp': {} } },
    hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
  });
  await web.serve(80);
  const other = await machine.run('other');
  assert.deepEqual(web.sandbox?.ports, {
    '80/tcp': [
      { hostIp: '0.0.0.0', hostPort: 8080 },
      { hostIp: '::', hostPort: 8080 },
    ],
    '443/tcp': null,
  });
  assert.equal(await neighbour.reach('10.99.0.1', 8080), 'web to 10.99.0.2', 'with the client’s own address');
  assert.equal(await reach('', '127.0.0.1', 8080), 'web to 172.17.0.1');
  assert.equal(await reach('', '10.99.0.1', 8080), 'web to 10.99.0.1');
  assert.equal(await other.reach('10.99.0.1', 8080), 'web to 172.17.0.1');
  assert.equal(await web.reach('10.99.0.1', 8080), 'web to 172.17.0.1');
  neighbour.route('172.17.0.0/16');
  assert.equal(await neighbour.reach(web.address, 80), '', 'not by the container’s own address');
});

test('a port published on 127.0.0.1 is not reached from another machine nor from a container', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const web = await machine.run('web', { hostConfig: { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8081' }] } } });
  await web.serve(80);
  const other = await machine.run('other');
  assert.equal(await reach('', '127.0.0.1', 8081), 'web to 172.17.0.1');
  assert.equal(await neighbour.reach('10.99.0.1', 8081), '');
  await run(neighbour.netns, 'sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1');
  await run(neighbour.netns, 'ip', 'route', 'add', '127.0.0.1', 'via', '10.99.0.1', 'table', '7');
  await run(neighbour.netns, 'ip', 'rule', 'add', 'pref', '0', 'to', '127.0.0.1', 'lookup', '7');
  assert.equal(await neighbour.reach('127.0.0.1', 8081), '');
  await run(other.netns, 'sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1');
  await run(other.netns, 'ip', 'addr', 'del', '127.0.0.1/8', 'dev', 'lo');
  await run(other.netns, 'ip', 'route', 'add', '127.0.0.1', 'via', '172.17.0.1', 'src', other.address);
  assert.equal(await other.reach('127.0.0.1', 8081), '');
});

test('published ports do not take packets that are only passing through this machine', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const web = await machine.run('web', { hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '7001' }] } } });
  await web.serve(80);
  const client = await machine.run('client');
  const outside = await greet(neighbour.netns, { port: 7001, ip: '10.99.0.2', greeting: 'outside' });
  assert.equal(await client.reach('10.99.0.2', 7001), 'outside to 10.99.0.1');
  outside.close();
});

test('ports of UDP, of ranges, of one address and chosen ones are published', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const web = await machine.run('web', {
    config: { ExposedPorts: { '90/tcp': {} } },
    hostConfig: {
      PublishAllPorts: true,
      PortBindings: { '53/udp': [{ HostPort: '5353' }], '80/tcp': [{ HostIp: '10.99.0.1', HostPort: '9000-9002' }] },
    },
  });
  const second = await machine.run('second', {
    hostConfig: { PortBindings: { '80/tcp': [{ HostIp: '10.99.0.1', HostPort: '9000-9002' }] } },
  });
  await web.echo(53);
  await web.serve(80);
  await second.serve(80);
  assert.equal(second.sandbox?.ports['80/tcp']?.[0]?.hostPort, 9001);
  assert.equal(await neighbour.reach('10.99.0.1', 9000), 'web to 10.99.0.2');
  assert.equal(await neighbour.reach('10.99.0.1', 9001), 'second to 10.99.0.2');
  const chosen = web.sandbox?.ports['90/tcp']?.[0]?.hostPort ?? 0;
  assert.ok(chosen >= 32_768 && chosen <= 60_999);
  assert.equal(await neighbour.ask('10.99.0.1', 5353), 'web:hello');
});

test('a host port that another program has is an error before anything is started', async () => {
  await using machine = await Machine.start();
  const foreign = await greet('', { port: 8088, ip: '0.0.0.0', greeting: 'foreign' });
  await assert.rejects(machine.run('web', { hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8088' }] } } }), {
    code: 'conflict',
    message: 'failed to bind host port 0.0.0.0:8088/tcp: address already in use',
  });
  assert.equal(await reach('', '127.0.0.1', 8088), 'foreign to 127.0.0.1');
  foreign.close();
  const again = await machine.run('again', { hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8088' }] } } });
  await again.stop();
  const web = await machine.run('web', { hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8089' }] } } });
  await assert.rejects(greet('', { port: 8089, ip: '0.0.0.0', greeting: 'late' }), { code: 'EADDRINUSE' });
  await web.stop();
});

test('networks are apart from each other, and from the default one', async () => {
  await using machine = await Machine.start();
  for (const name of ['red', 'blue']) await machine.room.create({ name });
  const red = await machine.run('r', { hostConfig: { NetworkMode: 'red' } });
  const red2 = await machine.run('r2', { hostConfig: { NetworkMode: 'red' } });
  const blue = await machine.run('b', { hostConfig: { NetworkMode: 'blue' } });
  const plain = await machine.run('p');
  await red.serve(80);
  assert.equal(await red2.reach(red.address, 80), `r to ${red2.address}`);
  assert.equal(await blue.reach(red.address, 80), '');
  assert.equal(await plain.reach(red.address, 80), '');
});

test('a container takes no routes from whoever says that it is a router, and has no IPv6 unless its network has', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'six', ipv6: true, ipam: { Config: [{ Subnet: 'fd41::/64' }] } });
  const four = await machine.run('four');
  const six = await machine.run('six', { hostConfig: { NetworkMode: 'six' } });
  const setting = (container: typeof four, key: string) => container.run('cat', `/proc/sys/net/ipv6/conf/eth0/${key}`);
  assert.equal(await setting(four, 'disable_ipv6'), '1\n');
  assert.equal(await setting(six, 'disable_ipv6'), '0\n');
  assert.equal(await setting(six, 'accept_ra'), '0\n');
});

test('no packet of an internal network reaches the machine’s other links, whatever is tried', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'inner', internal: true });
  const one = await machine.run('one', { hostConfig: { NetworkMode: 'inner' } });
  const outer = await machine.run('outer');
  const count =
    'table inet counted { chain out { type filter hook postrouting priority 500; oifname "wire" ip daddr 10.99.0.2 counter; }; }';
  nft(undefined, count);
  const packets = async () => Number(/packets (\d+)/.exec(await run('', 'nft', 'list', 'chain', 'inet', 'counted', 'out'))?.[1]);
  try {
    // With a route of its own it gets no further either.
    await one.run('ip', 'route', 'add', 'default', 'via', one.sandbox?.endpoints[0]?.gateway || '172.18.0.1');
    const before = await packets();
    assert.equal(await one.reach('10.99.0.2', 7000), '');
    assert.equal(await one.reach('10.99.0.2', 53), '');
    assert.equal(await packets(), before);
    await outer.reach('10.99.0.2', 7000);
    assert.ok((await packets()) > before, 'what counts, counts');
  } finally {
    nft(undefined, 'delete table inet counted');
  }
  assert.equal(await neighbour.reach(one.sandbox?.endpoints[0]?.ipAddress ?? '', 7000), '');
});

test('nothing leaves an internal network and nothing enters it', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'inner', internal: true });
  const one = await machine.run('one', { hostConfig: { NetworkMode: 'inner', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } });
  const two = await machine.run('two', { hostConfig: { NetworkMode: 'inner' } });
  await one.serve(80);
  assert.equal(await two.reach(one.address, 80), `one to ${two.address}`);
  assert.deepEqual(one.sandbox?.ports, {}, 'internal networks publish nothing');
  const gateway = machine.room.inspect('inner').ipam.Config?.[0]?.Gateway ?? '';
  await two.run('ip', 'route', 'add', 'default', 'via', gateway);
  const outside = await greet(neighbour.netns, { port: 7000, ip: '10.99.0.2', greeting: 'outside' });
  assert.equal(await two.reach('10.99.0.2', 7000), '', 'even with a route');
  neighbour.route('172.18.0.0/16');
  await run(one.netns, 'ip', 'route', 'add', 'default', 'via', gateway);
  assert.equal(await neighbour.reach(one.address, 80), '');
  outside.close();
});

test('enable_icc=false keeps containers of one network apart', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'lonely', options: { 'com.docker.network.bridge.enable_icc': 'false' } });
  const one = await machine.run('one', { hostConfig: { NetworkMode: 'lonely' } });
  const two = await machine.run('two', { hostConfig: { NetworkMode: 'lonely' } });
  await one.serve(80);
  assert.equal(await two.reach(one.address, 80), '');
  assert.equal((await reach('', one.address, 80)) !== '', true, 'the machine itself may');
});

test('bridge options set the name, the MTU and the address for published ports', async () => {
  using _neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({
    name: 'custom',
    options: {
      'com.docker.network.bridge.name': 'br-custom',
      'com.docker.network.driver.mtu': '1400',
      'com.docker.network.bridge.host_binding_ipv4': '10.99.0.1',
    },
  });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'custom', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } });
  assert.match(await web.run('ip', 'link', 'show', 'eth0'), /mtu 1400/);
  assert.ok(linkNames().includes('br-custom'));
  assert.deepEqual(web.sandbox?.ports['80/tcp'], [{ hostIp: '10.99.0.1', hostPort: 8080 }]);
});

test('an IPv6 network has addresses, a way out and published ports of both families', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'six', ipv6: true });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'six', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } });
  const [endpoint] = web.sandbox?.endpoints ?? [];
  assert.match(endpoint?.ipAddress6 ?? '', /^fd.*::2$/);
  assert.equal(endpoint?.ipPrefixLength6, 64);
  await web.serve(80, '::');
  assert.equal(await neighbour.reach('fd99::1', 8080), 'web to fd99::2');
  const outside = await greet(neighbour.netns, { port: 7000, ip: 'fd99::2', greeting: 'outside' });
  assert.equal(await web.reach('fd99::2', 7000), 'outside to fd99::1');
  outside.close();
});

test('packet forwarding is switched on by the first network that needs it, and said', async () => {
  await run('', 'sysctl', '-qw', 'net.ipv4.ip_forward=0');
  await using machine = await Machine.start();
  await machine.room.create({ name: 'inner', internal: true });
  await machine.run('one', { hostConfig: { NetworkMode: 'inner' } });
  assert.equal(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'), '0\n');
  await machine.run('two');
  assert.equal(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'), '1\n');
  assert.equal(machine.logged.filter((line) => line.includes('switched on packet forwarding')).length, 1);
});

test('a bridge that an engine with other books left behind is taken over, a foreign interface is not', async () => {
  await using machine = await Machine.start();
  using here = Rtnetlink.open();
  here.linkAdd('gantry0', { kind: 'bridge' }, { alias: 'gantry:of-somebody-before', up: true });
  await machine.run('one');
  here.linkAdd('br-mine', { kind: 'bridge' });
  await assert.rejects(
    machine.room.create({
      name: 'theirs',
      options: { 'com.docker.network.bridge.default_bridge': 'true', 'com.docker.network.bridge.name': 'br-mine' },
    }),
    {
      code: 'conflict',
      message: /br-mine is already there and is not ours/,
    },
  );
  here.linkDelete('br-mine');
});
