import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as linux from '@gantry/sdk/linux';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const root = mkdtempSync(join(process.env['TMPDIR'] ?? '/tmp', 'rtnetlink-'));
after(() => rmSync(root, { recursive: true }));

test('Rtnetlink makes a bridge with a container’s veth, which carries a connection', async () => {
  using host = namespace('host');
  using container = namespace('container');
  const bridge = host.links.linkAdd(
    'br0',
    { kind: 'bridge', ageingSeconds: 42, isMulticastSnooping: false },
    { up: true, alias: 'ours:br0', mtu: 1400 },
  );
  host.links.addressAdd({ link: bridge, address: '10.9.0.1/24', broadcast: '10.9.0.255' });
  host.links.addressAdd({ link: bridge, address: 'fd00:9::1/64', isWithoutDad: true });
  const port = host.links.linkAdd(
    'veth0',
    { kind: 'veth', peer: { name: 'eth0', netnsFd: container.netns, address: '02:42:0a:09:00:02', mtu: 1400 } },
    { up: true, alias: 'ours:veth0', master: bridge, mtu: 1400 },
  );
  host.links.bridgePortSet(port, { isIsolated: true, isHairpin: true });
  const eth0 = container.links.linkGet('eth0')?.index ?? 0;
  container.links.all([
    linux.linkSetRequest('lo', { up: true }),
    linux.linkSetRequest(eth0, { up: true }),
    linux.addressRequest('add', { link: eth0, address: '10.9.0.2/24' }),
    linux.addressRequest('add', { link: eth0, address: 'fd00:9::2/64', isWithoutDad: true }),
  ]);
  container.links.routeAdd({ destination: 'default', gateway: '10.9.0.1' });
  container.links.routeAdd({ destination: 'default', gateway: 'fd00:9::1' });

  const { operState: _, flags: __, statistics: ___, address: ____, ...shown } = host.links.linkGet(bridge) ?? fail();
  assert.deepEqual(shown, {
    index: bridge,
    name: 'br0',
    alias: 'ours:br0',
    kind: 'bridge',
    mtu: 1400,
    master: undefined,
    link: undefined,
    isUp: true,
  });
  const veth = host.links.linkGet('veth0') ?? fail();
  assert.deepEqual([veth.alias, veth.kind, veth.master, veth.link], ['ours:veth0', 'veth', bridge, eth0]);
  assert.deepEqual([container.links.linkGet('eth0')?.address, container.links.linkGet('eth0')?.mtu], ['02:42:0a:09:00:02', 1400]);

  for (const ip of ['10.9.0.1', 'fd00:9::1']) {
    const server = createServer((socket) => socket.end('hello')).listen({
      fd: linux.boundSocketIn(host.netns, { kind: 'tcp', ip, port: 0 }),
    });
    await once(server, 'listening');
    const { port: tcpPort } = server.address() as AddressInfo;
    assert.equal(await talk(container.netns, ip, tcpPort), 'hello');
    server.close();
    await once(server, 'close');
  }
  const statistics = host.links.linkGet('veth0', { statistics: true })?.statistics ?? fail();
  assert.ok(statistics.rxPackets > 5n && statistics.rxBytes > 300n && statistics.txPackets > 5n);
  assert.equal(host.links.linkDelete('veth0'), true);
  assert.equal(host.links.linkDelete('veth0'), false);
  assert.equal(container.links.linkGet('eth0'), undefined);
});

test('Rtnetlink makes every kind of link that the kernel has, also directly in another namespace', () => {
  using host = namespace('kinds');
  using container = namespace('kinds-inside');
  const lower = host.links.linkAdd('lower', { kind: 'bridge' }, { up: true, address: '02:00:00:00:00:07' });
  host.links.linkAdd('vxlan', { kind: 'vxlan', vxlanId: 9, local: '10.0.0.1', learning: false });
  host.links.linkAddInto(container.netns, 'macvlan', { kind: 'macvlan', link: lower, mode: 'private' }, { mtu: 1300 });
  host.links.linkAdd('end', { kind: 'veth', peer: { name: 'moving' } });
  host.links.linkSet('moving', { name: 'moved', netnsFd: container.netns });
  const kinds = (links: linux.Rtnetlink): readonly unknown[] =>
    links
      .linkList()
      .map(({ name, kind, mtu }) => `${name} ${kind} ${mtu}`)
      .toSorted();
  assert.deepEqual(kinds(host.links), ['end veth 1500', 'lo undefined 65536', 'lower bridge 1500', 'vxlan vxlan 1500']);
  assert.deepEqual(kinds(container.links), ['lo undefined 65536', 'macvlan macvlan 1300', 'moved veth 1500']);
  assert.equal(host.links.linkGet('lower')?.address, '02:00:00:00:00:07');
});

const optionalKinds: readonly linux.LinkKind[] = [
  { kind: 'dummy' },
  { kind: 'vlan', link: 0, vlanId: 7 },
  { kind: 'ipvlan', link: 0, mode: 'l3' },
];
for (const kind of optionalKinds) {
  test(`Rtnetlink makes a ${kind.kind}, or says that this kernel has none`, (context) => {
    using host = namespace(kind.kind);
    const link = host.links.linkAdd('end', { kind: 'veth', peer: { name: 'other' } }, { up: true });
    try {
      host.links.linkAdd('made', 'link' in kind ? { ...kind, link } : kind);
      assert.equal(host.links.linkGet('made')?.kind, kind.kind);
    } catch (error) {
      assert.match(String(error), /ENOTSUP: operation not supported, link add made type \w+ \(Unknown device type\)/);
      context.skip('not in this kernel');
    }
  });
}

test('Rtnetlink adds, lists and deletes addresses, routes and neighbours', () => {
  using host = namespace('lists');
  const link = host.links.linkAdd('d0', { kind: 'bridge' }, { up: true });
  host.links.addressAdd({ link, address: '192.0.2.1/24', label: 'd0:x' });
  assert.throws(() => host.links.addressAdd({ link, address: '192.0.2.1/24' }), { code: 'EEXIST', syscall: 'address add 192.0.2.1/24' });
  assert.deepEqual(
    host.links.addressList().filter(({ address }) => !address.startsWith('fe80')),
    [{ link, address: '192.0.2.1/24', broadcast: undefined, label: 'd0:x', isWithoutDad: false }],
  );
  host.links.routeAdd({ destination: '198.51.100.0/24', gateway: '192.0.2.9', metric: 5, table: 1000 });
  host.links.routeAdd({ destination: '198.51.100.0/24', gateway: '192.0.2.8', metric: 5, table: 1000 }, { replace: true });
  host.links.routeAdd({ destination: '203.0.113.0/24', type: 'blackhole' });
  host.links.routeAdd({ destination: '10.1.0.0/16', gateway: '10.1.0.1', link, isOnLink: true });
  const routes = (): readonly unknown[] =>
    host.links
      .routeList()
      .filter(({ protocol }) => protocol === 4)
      .map(({ destination, gateway, metric, table, type }) => [destination, gateway, metric, table, type]);
  assert.deepEqual(routes(), [
    ['198.51.100.0/24', '192.0.2.8', 5, 1000, 'unicast'],
    ['10.1.0.0/16', '10.1.0.1', undefined, 254, 'unicast'],
    ['203.0.113.0/24', undefined, undefined, 254, 'blackhole'],
  ]);
  assert.equal(host.links.routeDelete({ destination: '198.51.100.0/24', table: 1000 }), true);
  assert.equal(host.links.routeDelete({ destination: '198.51.100.0/24', table: 1000 }), false);
  assert.equal(host.links.routeDelete({ destination: '203.0.113.0/24', type: 'blackhole' }), true);
  assert.equal(host.links.routeDelete({ destination: '10.1.0.0/16' }), true);
  host.links.neighbourAdd({ link, ip: '192.0.2.50', address: '02:00:00:00:00:01' });
  host.links.neighbourAdd({ link, ip: '192.0.2.50', address: '02:00:00:00:00:02' });
  assert.equal(host.links.neighbourDelete({ link, ip: '192.0.2.50' }), true);
  assert.equal(host.links.neighbourDelete({ link, ip: '192.0.2.50' }), false);
  host.links.neighbourAdd({ link, ip: '192.0.2.51', isProxy: true });
  assert.equal(host.links.neighbourDelete({ link, ip: '192.0.2.51', isProxy: true }), true);
  const vxlan = host.links.linkAdd('vx', { kind: 'vxlan', vxlanId: 5 });
  host.links.neighbourAdd({ link: vxlan, address: '00:00:00:00:00:00', remote: '192.0.2.77' });
  assert.equal(host.links.addressDelete({ link, address: '192.0.2.1/24' }), true);
  assert.equal(host.links.addressDelete({ link, address: '192.0.2.1/24' }), false);
});

test('Rtnetlink errors carry the errno, what was asked and the kernel’s own words', () => {
  using host = namespace('errors');
  host.links.linkAdd('d0', { kind: 'bridge' });
  assert.throws(() => host.links.linkAdd('d0', { kind: 'bridge' }), { code: 'EEXIST', syscall: 'link add d0 type bridge' });
  assert.throws(() => host.links.linkSet('nothing', { up: true }), { code: 'ENODEV' });
  assert.throws(() => host.links.linkSet('nothing', { name: 'something' }), { code: 'ENODEV' });
  assert.throws(
    () => host.links.linkSet('d0', { mtu: 1 << 30 }),
    /EINVAL: invalid argument, link set d0 \(mtu greater than device maximum\)/,
  );
  assert.throws(() => host.links.routeAdd({ destination: 'default', gateway: '10.0.0.1' }), /ENETUNREACH.*Nexthop has invalid gateway/);
  for (const name of ['', 'sixteen-bytes-xx', 'a b', 'a/b', '..', 'ünïcödéünï']) {
    assert.throws(() => host.links.linkAdd(name, { kind: 'bridge' }), { code: 'ERR_INVALID_ARG_VALUE' }, name);
  }
  for (const address of ['10.0.0.1/33', '10.0.0/8', '::1/129', 'fe80::1%lo/64', '1.2.3.4/', '1.2.3.4/8/8', 'x']) {
    assert.throws(() => host.links.addressAdd({ link: 1, address }), { code: 'ERR_INVALID_ARG_VALUE' }, address);
  }
});

test('Rtnetlink.tryAll() carries 1000 requests, and goes on after a failed one', () => {
  using host = namespace('many');
  const requests = Array.from({ length: 1000 }, (_, index) =>
    linux.linkAddRequests(`d${index}`, { kind: 'bridge' }, { alias: `alias ${index}` }),
  ).flat();
  requests.splice(500, 0, linux.linkDeleteRequest('missing'));
  const results = host.links.tryAll(requests);
  assert.deepEqual(
    results.map((error) => error?.code).filter((code) => code !== undefined),
    ['ENODEV'],
  );
  const links = host.links.linkList();
  assert.deepEqual([links.length, results.length, links.at(-1)?.alias], [1001, 2001, 'alias 999']);
});

test('ipText() and ipBytes() agree', () => {
  for (const text of ['0.0.0.0', '255.255.255.255', '::', '::1', 'fd00:1::2', '::ffff:1.2.3.4'])
    assert.equal(linux.ipText(linux.ipBytes(text).bytes), text);
});

/** What a process in that namespace hears from a server. */
async function talk(netns: number, host: string, port: number): Promise<string> {
  const heard = linux.memfdCreate('heard');
  const script = `require('net').connect(${port}, '${host}').pipe(process.stdout)`;
  const argv = [process.execPath, '-e', script];
  await linux.waitForExit(linux.withNetns(netns, () => linux.posixSpawn({ file: process.execPath, argv, stdio: [null, heard, 2] })));
  const text = readFileSync(`/proc/self/fd/${heard}`, 'utf8');
  closeSync(heard);
  return text;
}

function fail(): never {
  throw new Error('it is not there');
}

function namespace(name: string): Disposable & { readonly netns: number; readonly links: linux.Rtnetlink } {
  const path = join(root, name);
  linux.createNetns(path);
  const netns = linux.openNetns(path);
  const links = linux.Rtnetlink.open(netns);
  return {
    netns,
    links,
    [Symbol.dispose]: () => {
      links[Symbol.dispose]();
      closeSync(netns);
      linux.removeNetns(path);
    },
  };
}
