import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { greet, linkNames, Machine, Neighbour, reach, run } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const option = (name: string) => `com.docker.network.bridge.${name}`;
const ipam = { Config: [{ Subnet: '10.40.0.0/24' }, { Subnet: 'fd40::/64' }] };

test('gateway mode routed: published ports are reached by the container’s own address and no others, unmapped and unmasqueraded', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({
    name: 'direct',
    ipam,
    ipv6: true,
    options: { [option('gateway_mode_ipv4')]: 'routed', [option('gateway_mode_ipv6')]: 'routed' },
  });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'direct', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } });
  for (const ip of ['0.0.0.0', '::']) await web.serve(80, ip);
  await web.serve(81);
  neighbour.route('10.40.0.0/24');
  neighbour.route('fd40::/64');
  assert.equal(await neighbour.reach('10.40.0.2', 80), 'web to 10.99.0.2');
  assert.equal(await neighbour.reach('fd40::2', 80), 'web to fd99::2');
  assert.equal(await neighbour.reach('10.40.0.2', 81), '', 'not published');
  assert.equal(await neighbour.reach('10.99.0.1', 8080), '', 'no port of the host is taken');
  const rival = await greet('', { port: 8080, ip: '0.0.0.0', greeting: 'rival' });
  rival.close();
  assert.match(await run(neighbour.netns, 'busybox', 'ping', '-c', '1', '-W', '1', '10.40.0.2'), /1 packets received/);
  const outside = await greet(neighbour.netns, { port: 7000, ip: '10.99.0.2', greeting: 'outside' });
  assert.equal(await web.reach('10.99.0.2', 7000), 'outside to 10.40.0.2', 'with its own address');
  outside.close();
  assert.deepEqual(web.sandbox?.ports, {
    '80/tcp': [
      { hostIp: '0.0.0.0', hostPort: 0 },
      { hostIp: '::', hostPort: 0 },
    ],
  });
  await machine.restart();
  await machine.room.adopt(web);
  assert.equal(await neighbour.reach('10.40.0.2', 80), 'web to 10.99.0.2');
  await web.stop();
  assert.doesNotMatch(await run('', 'nft', 'list', 'set', 'inet', 'gantry', 'open4'), /elements/);
});

test('gateway mode routed for IPv6 alone: IPv4 is mapped, and inspect shows the mapped one', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'mixed', ipam, ipv6: true, options: { [option('gateway_mode_ipv6')]: 'routed' } });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'mixed', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } });
  for (const ip of ['0.0.0.0', '::']) await web.serve(80, ip);
  neighbour.route('10.40.0.0/24');
  neighbour.route('fd40::/64');
  assert.equal(await neighbour.reach('10.99.0.1', 8080), 'web to 10.99.0.2');
  assert.equal(await neighbour.reach('fd40::2', 80), 'web to fd99::2');
  assert.equal(await neighbour.reach('10.40.0.2', 80), '');
  assert.deepEqual(web.sandbox?.ports, { '80/tcp': [{ hostIp: '0.0.0.0', hostPort: 8080 }] });
});

test('gateway mode routed without IPv6 takes no port of the host in either family', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'direct', options: { [option('gateway_mode_ipv4')]: 'routed' } });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'direct', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } });
  assert.deepEqual(web.sandbox?.ports, { '80/tcp': [{ hostIp: '0.0.0.0', hostPort: 0 }] });
  for (const ip of ['0.0.0.0', '::']) (await greet('', { port: 8080, ip, greeting: 'free' })).close();
});

test('gateway mode nat-unprotected: every port is reached by the container’s own address, and published ones are mapped', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({
    name: 'open',
    ipam: { Config: [{ Subnet: '10.40.0.0/24' }] },
    options: { [option('gateway_mode_ipv4')]: 'nat-unprotected' },
  });
  const web = await machine.run('web', { hostConfig: { NetworkMode: 'open', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } });
  await web.serve(80);
  await web.serve(81);
  neighbour.route('10.40.0.0/24');
  assert.equal(await neighbour.reach('10.40.0.2', 81), 'web to 10.99.0.2');
  assert.equal(await neighbour.reach('10.99.0.1', 8080), 'web to 10.99.0.2');
});

test('gateway mode isolated: the host has no address on the bridge, and containers have each other', async () => {
  await using machine = await Machine.start();
  await machine.room.create({
    name: 'apart',
    internal: true,
    ipam: { Config: [{ Subnet: '10.40.0.0/24' }] },
    options: { [option('name')]: 'br-apart', [option('gateway_mode_ipv4')]: 'isolated' },
  });
  const [one, two] = [
    await machine.run('one', { hostConfig: { NetworkMode: 'apart' } }),
    await machine.run('two', { hostConfig: { NetworkMode: 'apart' } }),
  ];
  await one.serve(80);
  assert.equal(await two.reach(one.address, 80), `one to ${two.address}`);
  assert.doesNotMatch(await run('', 'ip', '-4', 'address', 'show', 'br-apart'), /inet /);
  assert.equal(await reach('', one.address, 80), '');
});

test('trusted_host_interfaces: published ports are reached by the container’s own address from there, and from nowhere else', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const create = (name: string, subnet: string, options: Readonly<Record<string, string>>) =>
    machine.room.create({ name, ipam: { Config: [{ Subnet: subnet }] }, options });
  await create('near', '10.40.0.0/24', { [option('trusted_host_interfaces')]: 'wire' });
  await create('far', '10.41.0.0/24', { [option('trusted_host_interfaces')]: 'wire9' });
  const wishes = (NetworkMode: string, HostPort: string) => ({ hostConfig: { NetworkMode, PortBindings: { '80/tcp': [{ HostPort }] } } });
  const [near, far] = [await machine.run('near', wishes('near', '8080')), await machine.run('far', wishes('far', '8081'))];
  for (const port of [80, 81]) {
    await near.serve(port);
    await far.serve(port);
  }
  for (const subnet of ['10.40.0.0/24', '10.41.0.0/24']) neighbour.route(subnet);
  assert.equal(await neighbour.reach('10.40.0.2', 80), 'near to 10.99.0.2');
  assert.equal(await neighbour.reach('10.40.0.2', 81), '');
  assert.equal(await neighbour.reach('10.41.0.2', 80), '');
  assert.equal(await neighbour.reach('10.99.0.1', 8081), 'far to 10.99.0.2');
});

test('masquerading switched off leaves the container’s own address; a fixed source address takes its place', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const create = (name: string, subnet: string, options: Readonly<Record<string, string>>) =>
    machine.room.create({ name, ipam: { Config: [{ Subnet: subnet }] }, options });
  await create('plain', '10.40.0.0/24', { [option('enable_ip_masquerade')]: 'false' });
  await create('fixed', '10.41.0.0/24', { 'com.docker.network.host_ipv4': '10.99.0.77' });
  await run('', 'ip', 'address', 'add', '10.99.0.77/24', 'dev', 'wire');
  neighbour.route('10.40.0.0/24');
  const outside = await greet(neighbour.netns, { port: 7000, ip: '10.99.0.2', greeting: 'outside' });
  const [plain, fixed] = [
    await machine.run('plain', { hostConfig: { NetworkMode: 'plain' } }),
    await machine.run('fixed', { hostConfig: { NetworkMode: 'fixed' } }),
  ];
  assert.equal(await plain.reach('10.99.0.2', 7000), 'outside to 10.40.0.2');
  assert.equal(await fixed.reach('10.99.0.2', 7000), 'outside to 10.99.0.77');
  outside.close();
});

test('a network of IPv6 alone has no IPv4, names of IPv6, a way out and published ports', async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await machine.room.create({ name: 'six', ipv4: false, ipv6: true });
  const web = await machine.run('web', {
    hostConfig: { NetworkMode: 'six', PortBindings: { '80/tcp': [{ HostIp: '::', HostPort: '8080' }] } },
  });
  await web.serve(80, '::');
  assert.deepEqual([web.sandbox?.endpoints[0]?.ipAddress, web.sandbox?.endpoints[0]?.gateway], ['', '']);
  assert.doesNotMatch(await web.run('ip', '-4', 'address', 'show', 'eth0'), /inet /);
  assert.equal(await neighbour.reach('fd99::1', 8080), 'web to fd99::2');
  assert.match(await reach('', 'fd99::1', 8080), /^web to fd/);
  const outside = await greet(neighbour.netns, { port: 7000, ip: 'fd99::2', greeting: 'outside' });
  assert.equal(await web.reach('fd99::2', 7000), 'outside to fd99::1');
  outside.close();
  assert.ok(linkNames().some((name) => name.startsWith('br-')));
});

for (const [options, internal, message] of [
  [{ [option('gateway_mode_ipv4')]: 'sideways' }, false, /gateway_mode_ipv4 is sideways; it can be nat, nat-unprotected, routed, isolated/],
  [{ [option('gateway_mode_ipv6')]: 'isolated' }, false, /gateway_mode_ipv6 is isolated, which only an internal network can be/],
  [{ [option('trusted_host_interfaces')]: 'eth0:a/b' }, false, /"a\/b" is no interface name/],
  [{ 'com.docker.network.host_ipv6': '10.0.0.1' }, false, /host_ipv6 is 10\.0\.0\.1, which is no IPv6 address/],
] as const) {
  test(`NetworksRoom.create() refuses ${JSON.stringify(options)} and keeps nothing`, async () => {
    await using machine = await Machine.start();
    await assert.rejects(machine.room.create({ name: 'bad', options, internal }), { code: 'invalid_argument', message });
    assert.deepEqual(machine.room.list({ filters: { type: ['custom'] } }), []);
    await machine.room.create({ name: 'good', ipam: { Config: [{ Subnet: '172.18.0.0/16' }] } });
  });
}
