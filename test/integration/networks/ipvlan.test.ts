import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { greet, Machine, Neighbour, reach, run, whyNoLinks } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const skip = whyNoLinks('ipvlan');
const on = (NetworkMode: string) => ({ hostConfig: { NetworkMode } });

test('ipvlan l2: containers are neighbours under the parent’s hardware address, and an address is free as soon as its container ended', {
  skip,
}, async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const lan = { Config: [{ Subnet: '10.99.0.0/24', IPRange: '10.99.0.128/25', Gateway: '10.99.0.2' }] };
  await machine.room.create({ name: 'lan', driver: 'ipvlan', ipam: lan, options: { parent: 'wire' } });
  const [web, other] = [await machine.run('web', on('lan')), await machine.run('other', on('lan'))];
  await web.serve(80);
  assert.equal(await neighbour.reach(web.address, 80), 'web to 10.99.0.2');
  assert.equal(await other.reach(web.address, 80), `web to ${other.address}`);
  const mac = /link\/ether (\S+)/.exec(await run('', 'ip', 'link', 'show', 'wire'))?.[1] ?? '';
  assert.match(await run(neighbour.netns, 'ip', 'neighbour', 'show', web.address), new RegExp(mac));
  assert.equal(await reach('', web.address, 80), '', 'the kernel keeps a parent and its ipvlans apart');
  const before = web.address;
  await web.stop();
  const next = await machine.run('next', on('lan'));
  assert.equal(next.address, before);
  await next.serve(80);
  assert.equal(await neighbour.reach(before, 80), 'next to 10.99.0.2');
});

for (const mode of ['l3', 'l3s']) {
  test(`ipvlan ${mode}: the machine routes for its containers, and who has a route to them reaches them`, { skip }, async () => {
    using neighbour = new Neighbour();
    await using machine = await Machine.start();
    const ipam = { Config: [{ Subnet: '10.70.0.0/24' }, { Subnet: '10.71.0.0/24' }] };
    await machine.room.create({ name: 'routed', driver: 'ipvlan', ipam, options: { parent: 'wire', ipvlan_mode: mode } });
    const wish = (IPv4Address: string) => ({ ...on('routed'), networks: { routed: { IPAMConfig: { IPv4Address } } } });
    const [one, two] = [await machine.run('one', wish('10.70.0.5')), await machine.run('two', wish('10.71.0.5'))];
    await one.serve(80);
    assert.match(await one.run('ip', 'route'), /^default dev eth0/m);
    assert.equal(await two.reach('10.70.0.5', 80), 'one to 10.71.0.5', 'between subnets, too');
    await run(neighbour.netns, 'ip', 'route', 'add', '10.70.0.0/24', 'dev', 'eth0');
    if (mode === 'l3') {
      assert.equal(await neighbour.reach('10.70.0.5', 80), '', 'l3 answers no ARP');
      await run(neighbour.netns, 'ip', 'route', 'replace', '10.70.0.0/24', 'via', '10.99.0.1');
    } else await run(neighbour.netns, 'ip', 'route', 'replace', '10.70.0.0/24', 'via', '10.99.0.1');
    assert.equal(await neighbour.reach('10.70.0.5', 80), 'one to 10.99.0.2');
    await machine.room.create({ name: 'shop' });
    await machine.room.connect('shop', 'one', { GwPriority: -1 });
    assert.match(await one.run('ip', 'route'), /^default dev eth0/m, 'still the way out');
    await machine.room.disconnect('shop', 'one', { force: false });
    assert.match(await one.run('ip', 'route'), /^default dev eth0/m);
  });
}

test('ipvlan without a parent, and flag private: containers have each other, or nobody', {
  skip: skip || whyNoLinks('dummy'),
}, async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'alone', driver: 'ipvlan' });
  await machine.room.create({ name: 'shy', driver: 'ipvlan', options: { ipvlan_flag: 'private' } });
  for (const name of ['alone', 'shy']) {
    const [one, two] = [await machine.run(`${name}1`, on(name)), await machine.run(`${name}2`, on(name))];
    await one.serve(80);
    assert.equal(await two.reach(one.address, 80), name === 'shy' ? '' : `${name}1 to ${two.address}`);
    assert.doesNotMatch(await one.run('ip', 'route'), /default/);
  }
});

test('ipvlan with an IPv6 subnet has its addresses and a way out', { skip }, async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const ipam = { Config: [{ Subnet: 'fd99::/64', Gateway: 'fd99::2', IPRange: 'fd99::100/120' }] };
  await machine.room.create({ name: 'six', driver: 'ipvlan', ipv4: false, ipv6: true, ipam, options: { parent: 'wire' } });
  const web = await machine.run('web', on('six'));
  const outside = await greet(neighbour.netns, { port: 7000, ip: 'fd99::2', greeting: 'outside' });
  assert.match(await web.reach('fd99::2', 7000), /^outside to fd99::1/);
  outside.close();
});

for (const [options, message] of [
  [{ ipvlan_mode: 'l4' }, /option ipvlan_mode of network driver ipvlan .*l2, l3, l3s/],
  [{ ipvlan_flag: 'loud' }, /option ipvlan_flag of network driver ipvlan/],
  [{ macvlan_mode: 'bridge' }, /unknown option "macvlan_mode" for network driver ipvlan/],
] as const) {
  test(`NetworksRoom.create() refuses an ipvlan with ${JSON.stringify(options)}`, async () => {
    await using machine = await Machine.start();
    await assert.rejects(machine.room.create({ name: 'bad', driver: 'ipvlan', options }), { code: 'invalid_argument', message });
    assert.deepEqual(machine.room.list({ filters: { type: ['custom'] } }), []);
  });
}
