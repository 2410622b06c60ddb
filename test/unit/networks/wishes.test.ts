import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateNetwork, IpamSubnet } from '@gantry/sdk/engine';
import { checkCreateNetwork } from '../../../core/networks/life/create-network.ts';
import { parseIpv4Routes, parseIpv6Routes } from '../../../core/networks/ipam/host-routes.ts';
import { networkMatcher, pruneMatcher } from '../../../core/networks/life/network-info.ts';
import { exposedPorts, parsePortBindings } from '../../../core/networks/ports/port-wishes.ts';
import { copiedResolvConf, embeddedResolvConf, parseResolvConf } from '../../../core/networks/files/resolv-conf.ts';
import { checkWishes, networkMode, parseLink, wishedNetworks } from '../../../core/networks/endpoints/wishes.ts';
import { extraHostLines } from '../../../core/networks/files/hosts-file.ts';

const subnet = (Config: IpamSubnet, more: Partial<CreateNetwork> = {}): CreateNetwork => ({
  name: 'n',
  ipam: { Config: [Config] },
  ...more,
});

for (const [request, code, message] of [
  [{ name: 'host' }, 'forbidden', 'operation is not permitted on predefined host network '],
  [{ name: 'default' }, 'forbidden', 'operation is not permitted on predefined default network '],
  [{ name: '' }, 'invalid_argument', 'network name cannot be empty'],
  [{ name: 'a/b' }, 'invalid_argument', /invalid network name "a\/b"/],
  [{ name: 'n', ipv4: false }, 'invalid_argument', 'IPv4 or IPv6 must be enabled'],
  [subnet({ Subnet: 'zz' }), 'invalid_argument', 'invalid network config:\ninvalid subnet zz: invalid CIDR block notation'],
  [subnet({ Subnet: '10.0.0.0/33' }), 'invalid_argument', /invalid CIDR block notation/],
  [subnet({ Subnet: '10.9.0.5/24' }), 'invalid_argument', 'invalid network config:\ninvalid subnet 10.9.0.5/24: it should be 10.9.0.0/24'],
  [
    subnet({ Subnet: '10.8.0.0/24', Gateway: '10.7.0.1' }),
    'invalid_argument',
    "invalid network config:\ninvalid gateway 10.7.0.1: parent subnet 10.8.0.0/24 doesn't contain this address",
  ],
  [
    subnet({ Subnet: '10.6.0.0/24', IPRange: '10.5.0.0/25' }),
    'invalid_argument',
    "invalid network config:\ninvalid ip-range 10.5.0.0/25: parent subnet 10.6.0.0/24 doesn't contain ip-range",
  ],
  [
    subnet({ Subnet: '10.2.0.0/24', AuxiliaryAddresses: { a: '10.3.0.1' } }),
    'invalid_argument',
    "invalid network config:\ninvalid auxiliary address a: parent subnet 10.2.0.0/24 doesn't contain this address",
  ],
  [subnet({ Subnet: '10.2.0.0/24', Gateway: '10.2.0.0' }), 'invalid_argument', /the address of the network itself/],
  [subnet({ Subnet: '10.2.0.0/24', Gateway: '10.2.0.255' }), 'invalid_argument', /the broadcast address/],
  [subnet({ Subnet: '10.2.0.1/32' }), 'invalid_argument', /no room/],
  [subnet({ Subnet: '0.0.0.0/0' }), 'invalid_argument', /holds every address/],
  [subnet({ Subnet: '224.1.0.0/16' }), 'invalid_argument', /no network can use/],
  [subnet({ Subnet: '127.0.0.0/8' }), 'invalid_argument', /no network can use/],
  [subnet({ Subnet: 'fd00::/64' }), 'invalid_argument', /IPv6 has not been enabled/],
  [subnet({ Subnet: '10.2.0.0/24', Gateway: 'fd00::1' }), 'invalid_argument', /parent subnet is an IPv4 block/],
  [subnet({ Gateway: '10.2.0.1' }), 'invalid_argument', /needs a subnet/],
  [
    { name: 'n', ipam: { Config: [{ Subnet: '10.2.0.0/24' }, { Subnet: '10.2.0.0/25' }] } },
    'invalid_argument',
    /subnets 10\.2\.0\.0\/24 and 10\.2\.0\.0\/25 overlap/,
  ],
] as const satisfies readonly (readonly [CreateNetwork, string, string | RegExp])[]) {
  test(`checkCreateNetwork() refuses ${JSON.stringify(request)}`, () => {
    assert.throws(() => checkCreateNetwork(request), { code, message });
  });
}

test('checkCreateNetwork() takes what Docker takes', () => {
  for (const request of [
    { name: 'a' },
    { name: 'my_project.default-1' },
    subnet({ Subnet: '10.2.0.0/24', IPRange: '10.2.0.128/25', Gateway: '10.2.0.1', AuxiliaryAddresses: { router: '10.2.0.2' } }),
    subnet({ Subnet: 'fd00:1::/64' }, { ipv6: true }),
    subnet({ Subnet: '10.2.0.0/31' }),
    subnet({}),
  ]) {
    checkCreateNetwork(request);
  }
});

for (const [bindings, message] of [
  [{ '80/foo': [] }, /invalid port specification: "80\/foo"/],
  [{ '99999/tcp': [] }, 'invalid port specification: "99999/tcp"'],
  [{ '0/tcp': [] }, 'invalid port specification: "0/tcp"'],
  [{ '80-90/tcp': [] }, 'invalid port specification: "80-90/tcp"'],
  [{ '80/tcp': [{ HostPort: '70000' }] }, 'invalid port specification: "70000"'],
  [{ '80/tcp': [{ HostPort: '90-80' }] }, 'invalid port specification: "90-80"'],
  [{ '80/tcp': [{ HostPort: '-1' }] }, 'invalid port specification: "-1"'],
  [{ '80/tcp': [{ HostIp: '999.1.1.1' }] }, /999\.1\.1\.1/],
] as const) {
  test(`parsePortBindings() refuses ${JSON.stringify(bindings)}`, () => {
    assert.throws(() => parsePortBindings(bindings), { code: 'invalid_argument', message });
  });
}

test('parsePortBindings() and exposedPorts() read Docker’s forms', () => {
  assert.deepEqual(parsePortBindings({ '80/tcp': [{ HostPort: '8080' }, { HostIp: '::1', HostPort: '9000-9010' }], '53/UDP': null }), [
    { protocol: 'tcp', containerPort: 80, hostIp: '', hostPort: 8080, hostPortEnd: 8080 },
    { protocol: 'tcp', containerPort: 80, hostIp: '::1', hostPort: 9000, hostPortEnd: 9010 },
    { protocol: 'udp', containerPort: 53, hostIp: '', hostPort: 0, hostPortEnd: 0 },
  ]);
  assert.deepEqual(exposedPorts({ ExposedPorts: { '80': {}, '90-91/udp': {} } }), [
    { protocol: 'tcp', containerPort: 80 },
    { protocol: 'udp', containerPort: 90 },
    { protocol: 'udp', containerPort: 91 },
  ]);
});

for (const [wishes, message] of [
  [{ hostConfig: { NetworkMode: 'container:' } }, /invalid container format/],
  [{ hostConfig: { NetworkMode: 'container:x' }, config: { Hostname: 'h' } }, 'conflicting options: hostname and the network mode'],
  [{ hostConfig: { NetworkMode: 'container:x', Dns: ['1.1.1.1'] } }, 'conflicting options: dns and the network mode'],
  [
    { hostConfig: { NetworkMode: 'container:x', PortBindings: { '80/tcp': [{}] } } },
    'conflicting options: port publishing and the container type network mode',
  ],
  [{ hostConfig: { NetworkMode: 'host', Links: ['a'] } }, /can't be used with links/],
  [{ networks: { n: { MacAddress: '03:00:00:00:00:01' } } }, /invalid MAC address/],
  [{ networks: { n: { IPAMConfig: { IPv4Address: 'fd00::1' } } } }, /invalid IPv4 address: fd00::1/],
  [{ networks: { n: { DriverOpts: { 'com.docker.network.endpoint.ifname': 'a b' } } } }, /no interface name/],
] as const) {
  test(`checkWishes() refuses ${JSON.stringify(wishes)}`, () => {
    assert.throws(() => checkWishes({ config: {}, hostConfig: {}, networks: {}, ...wishes }), { code: 'invalid_argument', message });
  });
}

test('networkMode() and wishedNetworks() read where a container belongs', () => {
  assert.deepEqual(networkMode({}), { kind: 'networks', primary: 'bridge' });
  assert.deepEqual(networkMode({ NetworkMode: 'default' }), { kind: 'networks', primary: 'bridge' });
  assert.deepEqual(networkMode({ NetworkMode: 'container:x' }), { kind: 'container', container: 'x' });
  const names = (NetworkMode: string, networks: Record<string, object>) =>
    wishedNetworks({ hostConfig: { NetworkMode }, networks }).map(([name]) => name);
  assert.deepEqual(names('b', { a: {}, b: {} }), ['b', 'a']);
  assert.deepEqual(names('default', {}), ['bridge']);
  assert.deepEqual(names('b', { a: {} }), ['a'], 'b was disconnected');
  assert.deepEqual(names('none', {}), ['none']);
});

test('parseLink() and extraHostLines() read names and addresses', () => {
  assert.deepEqual(parseLink('/db:/web/store'), { target: 'db', alias: 'store' });
  assert.throws(() => parseLink('a:b:c'), { code: 'invalid_argument' });
  const lines = extraHostLines(['a:1.2.3.4', 'b=fd00::1', 'c:[fd00::2]', 'gw:host-gateway'], () => ['172.17.0.1', 'fd00::9']);
  assert.deepEqual(lines, ['1.2.3.4\ta', 'fd00::1\tb', 'fd00::2\tc', '172.17.0.1\tgw', 'fd00::9\tgw']);
  assert.throws(() => extraHostLines(['zz'], () => []), { message: 'bad format for add-host: "zz"' });
  assert.throws(() => extraHostLines(['a:host-gateway'], () => []), { message: 'unable to derive the IP value for host-gateway' });
});

test('host routes are read from /proc/net, without defaults', () => {
  const table =
    'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\neth0\t00000000\t010011AC\t3\t0\t0\t0\t00000000\t0\neth0\t000011AC\t00000000\t1\t0\t0\t0\t0000FFFF\t0\n';
  assert.deepEqual(parseIpv4Routes(table), ['172.17.0.0/16']);
  const six =
    'fd990000000000000000000000000000 40 00000000000000000000000000000000 00 0 0 0 0 0 eth0\n00000000000000000000000000000000 00 0 0 0 0 0 0 0 lo\n';
  assert.deepEqual(parseIpv6Routes(six), ['fd99::/64']);
});

test('resolv.conf is read as resolv.conf(5) says and written for both kinds of network', () => {
  const host = parseResolvConf(
    '# c\ndomain old\nsearch a b\nnameserver 127.0.0.53 ; stub\nnameserver 10.0.0.1\nnameserver junk\noptions ndots:2 rotate\n',
  );
  assert.deepEqual(host, { nameservers: ['127.0.0.53', '10.0.0.1'], search: ['a', 'b'], options: ['ndots:2', 'rotate'] });
  assert.deepEqual(copiedResolvConf(host, { isOverridden: false }).nameservers, ['10.0.0.1']);
  assert.deepEqual(embeddedResolvConf(host), { nameservers: ['127.0.0.11'], search: ['a', 'b'], options: ['ndots:2', 'rotate'] });
  assert.deepEqual(embeddedResolvConf(parseResolvConf('')).options, ['ndots:0']);
});

const record = (name: string, isPredefined: boolean, labels: Record<string, string> = {}) => {
  const network = { id: `${name}id`, name, subnets: [], internal: false, ipv4: true, ipv6: false, attachable: false, options: {}, labels };
  const document = {
    created: '2026-01-01T00:00:00Z',
    driver: 'bridge',
    isPredefined,
    ipv4: true,
    ipam: {},
    ipamDriver: '',
    pools: [],
    hasUserSubnets: false,
  };
  return { id: network.id, name, document: { ...document, plan: { network, links: [], masquerade: [] } } };
};

test('networkMatcher() filters as `network ls` does', () => {
  const all = [record('bridge', true), record('web', false, { a: '1' }), record('web2', false)];
  const names = (filters: Record<string, readonly string[]>) =>
    all.filter(networkMatcher(filters, ({ name }) => name === 'web')).map(({ name }) => name);
  assert.deepEqual(names({ name: ['web'] }), ['web', 'web2']);
  assert.deepEqual(names({ name: ['^web$'] }), ['web']);
  assert.deepEqual(names({ type: ['builtin'] }), ['bridge']);
  assert.deepEqual(names({ dangling: ['true'] }), ['web2']);
  assert.deepEqual(names({ label: ['a=1'] }), ['web']);
  assert.deepEqual(names({ label: ['__proto__'] }), []);
  assert.throws(() => names({ bad: ['x'] }), { code: 'invalid_argument', message: "invalid filter 'bad'" });
  assert.throws(() => names({ type: ['x'] }), { code: 'invalid_argument' });
});

test('pruneMatcher() keeps what is younger, labelled otherwise, or predefined', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  const old = record('web', false, { a: '1' });
  assert.equal(pruneMatcher({ until: ['23h'] }, now)(old), true);
  assert.equal(pruneMatcher({ until: ['25h'] }, now)(old), false);
  assert.equal(pruneMatcher({ 'label!': ['a'] }, now)(old), false);
  assert.equal(pruneMatcher({}, now)(record('bridge', true)), false);
  assert.throws(() => pruneMatcher({ until: ['soon'] }, now), { code: 'invalid_argument' });
});
