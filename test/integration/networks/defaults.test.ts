import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { Rtnetlink, mount } from '@gantry/sdk/linux';
import type { NetworkDefaults } from '../../../core/networks/index.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type Container, Machine } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();
writeFileSync('/run/resolv.conf', 'nameserver 192.0.2.53\nsearch machine.test\noptions timeout:1\n');
mount('/run/resolv.conf', '/etc/resolv.conf', { flags: new Set(['bind']) });

const hostsServer = ['nameserver 192.0.2.53', 'search machine.test', 'options timeout:1'];

for (const { what, defaults, hostConfig = {}, lines } of [
  { what: 'nothing', defaults: {}, lines: hostsServer },
  {
    what: 'servers',
    defaults: { dns: ['192.0.2.1', '127.0.0.1'] },
    lines: ['nameserver 192.0.2.1', 'nameserver 127.0.0.1', ...hostsServer.slice(1)],
  },
  { what: 'domains', defaults: { dnsSearch: ['a.test', 'b.test'] }, lines: [hostsServer[0], 'search a.test b.test', hostsServer[2]] },
  { what: 'no domain', defaults: { dnsSearch: ['.'] }, lines: [hostsServer[0], hostsServer[2]] },
  { what: 'options', defaults: { dnsOptions: ['rotate'] }, lines: [...hostsServer.slice(0, 2), 'options rotate'] },
  {
    what: 'what the container names itself',
    defaults: { dns: ['192.0.2.1'], dnsSearch: ['a.test'], dnsOptions: ['rotate'] },
    hostConfig: { Dns: ['192.0.2.2'], DnsSearch: ['own.test'], DnsOptions: ['ndots:2'] },
    lines: ['nameserver 192.0.2.2', 'search own.test', 'options ndots:2'],
  },
  {
    what: 'the machine’s namespace',
    defaults: { dns: ['192.0.2.1'] },
    hostConfig: { NetworkMode: 'host' },
    lines: ['nameserver 192.0.2.1', ...hostsServer.slice(1)],
  },
] as const) {
  test(`NetworkDefaults for resolv.conf: ${what}`, async () => {
    await using machine = await Machine.start(defaults);
    assert.deepEqual(linesOf((await machine.run('one', { hostConfig })).sandbox?.resolvConf), lines);
  });
}

for (const { publishAddress, network, options = {}, hostIps } of [
  { publishAddress: undefined, network: 'bridge', hostIps: ['0.0.0.0', '::'] },
  { publishAddress: '127.0.0.1', network: 'bridge', hostIps: ['127.0.0.1'] },
  { publishAddress: '::1', network: 'bridge', hostIps: ['::1'] },
  { publishAddress: '127.0.0.1', network: 'shop', hostIps: ['127.0.0.1'] },
  {
    publishAddress: '127.0.0.1',
    network: 'shop',
    options: { 'com.docker.network.bridge.host_binding_ipv4': '127.0.0.2' },
    hostIps: ['127.0.0.2'],
  },
  { publishAddress: '0.0.0.0', network: 'shop', hostIps: ['0.0.0.0', '::'] },
]) {
  test(`NetworkDefaults.publishAddress ${publishAddress ?? 'left open'} publishes on ${hostIps.join(' and ')} on ${network}`, async () => {
    await using machine = await Machine.start(publishAddress === undefined ? {} : { publishAddress });
    if (network === 'shop') await machine.room.create({ name: 'shop', options });
    const published = async (HostIp: string) => {
      const hostConfig = { NetworkMode: network, PortBindings: { '80/tcp': [{ HostIp, HostPort: '' }] } };
      const { sandbox } = await machine.run(`on${HostIp}`, { hostConfig });
      return sandbox?.ports['80/tcp']?.map(({ hostIp }) => hostIp);
    };
    assert.deepEqual(await published(''), hostIps);
    assert.deepEqual(await published('127.0.0.3'), ['127.0.0.3']);
  });
}

test('NetworkDefaults.hostGatewayIps are what host-gateway stands for, else the gateway is', async () => {
  for (const [defaults, wanted] of [
    [{}, ['172.17.0.1\tgw']],
    [{ hostGatewayIps: ['192.0.2.7', 'fd00::7'] }, ['192.0.2.7\tgw', 'fd00::7\tgw']],
  ] as const) {
    await using machine = await Machine.start(defaults);
    const { sandbox } = await machine.run('one', { hostConfig: { ExtraHosts: ['gw:host-gateway'] } });
    assert.deepEqual(
      sandbox?.hostsEntries.filter((line) => line.endsWith('\tgw')),
      wanted,
    );
  }
});

test('NetworkDefaults.mtu is that of the default bridge, of bridges that name none, and of their containers', async () => {
  await using machine = await Machine.start({ mtu: 1400 });
  await machine.room.create({ name: 'plain' });
  await machine.room.create({ name: 'own', options: { 'com.docker.network.driver.mtu': '1300' } });
  for (const [NetworkMode, mtu] of [
    ['bridge', 1400],
    ['plain', 1400],
    ['own', 1300],
  ] as const) {
    const container = await machine.run(NetworkMode, { hostConfig: { NetworkMode } });
    const { id } = machine.room.inspect(NetworkMode);
    assert.deepEqual(await mtusOf(container, NetworkMode === 'bridge' ? 'gantry0' : `br-${id.slice(0, 12)}`), [mtu, mtu], NetworkMode);
  }
});

test('NetworkDefaults.bridgeCidr is the address of the default bridge; a changed one counts from the next start without containers', async () => {
  await using machine = await Machine.start({ bridgeCidr: '10.77.0.1/24' });
  const subnet = () => machine.room.inspect('bridge').ipam.Config;
  assert.deepEqual(subnet(), [{ Subnet: '10.77.0.0/24', Gateway: '10.77.0.1' }]);
  const container = await machine.run('one');
  assert.equal(container.address, '10.77.0.2');
  await machine.restart({ bridgeCidr: '10.78.3.9/16' });
  assert.deepEqual(subnet(), [{ Subnet: '10.77.0.0/24', Gateway: '10.77.0.1' }], 'a container runs on it');
  assert.ok(machine.logged.some((line) => line.startsWith('warn: its settings were changed')));
  await container.stop();
  await machine.restart();
  assert.deepEqual(subnet(), [{ Subnet: '10.78.0.0/16', Gateway: '10.78.3.9' }]);
  const { id } = machine.room.inspect('bridge');
  await machine.restart();
  assert.equal(machine.room.inspect('bridge').id, id);
  await machine.restart({});
  assert.notDeepEqual(subnet()?.[0]?.Subnet, '10.78.0.0/16');
});

const refused: readonly (readonly [NetworkDefaults, RegExp])[] = [
  [{ dns: ['nowhere'] }, /default DNS server "nowhere" is no address/],
  [{ dnsSearch: ['a\nnameserver 192.0.2.9'] }, /is not one word/],
  [{ dnsOptions: [''] }, /is not one word/],
  [{ publishAddress: 'all' }, /"all" is no address/],
  [{ mtu: 67 }, /MTU is 67/],
  [{ bridgeCidr: '10.0.0.1' }, /"10\.0\.0\.1" is no IPv4 address with a prefix length/],
  [{ bridgeCidr: 'fd00::1/64' }, /no IPv4 address/],
  [{ bridgeCidr: '10.0.0.0/24' }, /gateway 10\.0\.0\.0: it is the address of the network itself/],
  [{ bridgeCidr: '127.0.0.1/8' }, /overlaps 127\.0\.0\.0\/8/],
];
for (const [defaults, message] of refused) {
  test(`NetworksRoom refuses the defaults ${JSON.stringify(defaults)} by name`, () => {
    assert.throws(() => new Machine(defaults), { code: 'invalid_argument', message });
  });
}

test('resolv.conf of a running container follows its networks', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop' });
  const container = await machine.run('one');
  assert.deepEqual(linesIn(container), hostsServer);
  await machine.room.connect('shop', container.id, {});
  assert.deepEqual(linesIn(container), ['nameserver 127.0.0.11', 'search machine.test', 'options timeout:1 ndots:0']);
  await machine.room.disconnect('shop', container.id, { force: false });
  assert.deepEqual(linesIn(container), hostsServer);
});

test('resolv.conf that a container has changed stays as it is', async () => {
  await using machine = await Machine.start();
  await machine.room.create({ name: 'shop' });
  const container = await machine.run('one');
  writeFileSync(container.resolvConfPath, 'nameserver 192.0.2.7\n', { flag: 'a' });
  await machine.room.connect('shop', container.id, {});
  assert.deepEqual(linesIn(container), [...hostsServer, 'nameserver 192.0.2.7']);
});

for (const [filters, names] of [
  [{ name: ['^n'] }, ['n1', 'none']],
  [{ name: ['^(n1|host)$'] }, ['host', 'n1']],
  [{ name: ['n1'], type: ['builtin'] }, []],
  [{ driver: ['bridge'], label: ['k=v'] }, ['n1']],
] as const) {
  test(`NetworksRoom.list() finds by ${JSON.stringify(filters)}`, async () => {
    await using machine = await Machine.start();
    await machine.room.create({ name: 'n1', labels: { k: 'v' } });
    assert.deepEqual(
      machine.room
        .list({ filters })
        .map(({ name }) => name)
        .toSorted(),
      names,
    );
    const { id } = machine.room.inspect('n1');
    assert.deepEqual(
      machine.room.list({ filters: { id: [id.slice(0, 12)] } }).map(({ name }) => name),
      ['n1'],
    );
  });
}

function linesOf(text = ''): readonly string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function linesIn({ resolvConfPath }: Container): readonly string[] {
  return linesOf(readFileSync(resolvConfPath, 'utf8'));
}

/** As the container sees it, and its bridge. */
async function mtusOf(container: Container, bridge: string): Promise<readonly (number | undefined)[]> {
  using here = Rtnetlink.open();
  const inside = /mtu (\d+)/.exec(await container.run('ip', 'link', 'show', 'eth0'))?.[1];
  return [here.linkGet(bridge)?.mtu, Number(inside)];
}
