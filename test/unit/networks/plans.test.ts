import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointPlan, Network, NetworkPlan } from '@gantry/sdk/network';
import { checkEndpointPlan, isMac } from '../../../core/execute/network-check.ts';
import { checkNetworkPlan } from '../../../core/execute/network-check.ts';
import { networkElements, portElements } from '../../../core/execute/network-rules.ts';
import { bridgeOptions } from '../../../plugins/network/bridge/options.ts';

const network: Network = {
  id: 'c'.repeat(64),
  name: 'shop',
  subnets: [],
  internal: false,
  ipv4: true,
  ipv6: false,
  attachable: false,
  options: {},
  labels: {},
};
const grants = { plugin: 'acme.net', dataDir: '/d', mountTypes: [], hostPaths: [], devices: [], nftables: false };
const endpoint: EndpointPlan = { link: { kind: 'veth', name: 'eth%d' }, addresses: ['10.0.0.2/24'], routes: [], publishable: true };
const good: NetworkPlan = { network, links: [{ kind: 'bridge', name: 'br-1' }], masquerade: [] };
const isolated = { bridge: 'br-1', internal: false, interContainer: true, subnets: ['10.0.0.0/24'] };

for (const [plan, code, message] of [
  [{ ...good, network: { ...network, id: 'other' } }, 'internal', /another id or name/],
  [{ ...good, links: [{ kind: 'bridge', name: 'a-name-of-16-byt' }] }, 'internal', /links\[0\].*is no link name/],
  [{ ...good, links: [{ kind: 'bridge', name: 'a"; flush ruleset' }] }, 'internal', /no link name/],
  [{ ...good, links: [{ kind: 'vlan', name: 'm', attrs: { id: '7' } }] }, 'internal', /needs a parent/],
  [{ ...good, links: [{ kind: 'veth', name: 'v' }] }, 'internal', /belongs to a container/],
  [{ ...good, links: [{ kind: 'vlan', name: 'm', parent: 'p', attrs: { id: '4095' } }] }, 'internal', /needs an id up to 4094/],
  [{ ...good, links: [{ kind: 'vxlan', name: 'm' }] }, 'internal', /needs an id up to 16777215/],
  [{ ...good, links: [{ kind: 'bridge', name: 'b', mtu: 1 }] }, 'internal', /MTU 1/],
  [{ ...good, links: [{ kind: 'bridge', name: 'b', addresses: ['10.0.0.1'] }] }, 'internal', /no address with prefix length/],
  [{ ...good, masquerade: [{ fromCidr: '10.0.0.0/24 }', exceptOutLink: 'b' }] }, 'internal', /no prefix/],
  [{ ...good, isolation: { bridge: 'b"', internal: false, interContainer: true, subnets: [] } }, 'internal', /no link name/],
  [{ ...good, isolation: { ...isolated, routedSubnets: ['10.0.1.0/24'] } }, 'internal', /10\.0\.1\.0\/24 is not among its subnets/],
  [{ ...good, isolation: { ...isolated, openSubnets: ['10.0.0.0/24 }'] } }, 'internal', /isolation: 10\.0\.0\.0\/24 } is no prefix/],
  [{ ...good, isolation: { ...isolated, trustedLinks: ['a" }'] } }, 'internal', /isolation: a" } is no link name/],
  [{ ...good, sysctls: { 'net.ipv4.ip_forward': '0' } }, 'internal', /sysctl net\.ipv4\.ip_forward is out of bounds/],
  [{ ...good, sysctls: { 'net.ipv4.conf.all.route_localnet': '1' } }, 'internal', /out of bounds/],
  [{ ...good, sysctls: { 'net.ipv4.conf.IFNAME.forwarding': '1\n2' } }, 'internal', /value of sysctl/],
  [{ ...good, rules: ['chain x { }'] }, 'forbidden', /acme\.net was not granted nftables/],
  [
    { ...good, links: [{ kind: 'existing', name: 'eth0' }] },
    'forbidden',
    /acme\.net was not granted the host's network and describes its link eth0/,
  ],
  [{ ...good, links: [{ kind: 'bridge', name: 'docker0', existing: true }] }, 'forbidden', /describes its link docker0/],
  [{ ...good, links: [{ kind: 'vlan', name: 'eth0.7', parent: 'eth0', attrs: { id: '7' } }] }, 'forbidden', /describes its link eth0$/],
  [
    { ...good, isolation: { bridge: 'eth0', internal: true, interContainer: true, subnets: [] } },
    'forbidden',
    /acme\.net was not granted the host's network and describes its link eth0/,
  ],
  [
    { ...good, links: [{ kind: 'vxlan', name: 'x', master: 'docker0', attrs: { id: '7', remotes: '10.0.0.1' } }] },
    'forbidden',
    /acme\.net was not granted the host's network and describes its link docker0/,
  ],
  [
    { ...good, links: [{ kind: 'vxlan', name: 'x', attrs: { id: '7', remotes: '10.0.0.1,host2' } }] },
    'internal',
    /a vxlan's remote "host2" is no address/,
  ],
  [{ ...good, links: [{ kind: 'vxlan', name: 'x', attrs: { id: '7', port: '0' } }] }, 'internal', /a vxlan's port 0/],
  [{ ...good, publishAddress: 'everywhere' }, 'internal', /publishAddress/],
  [
    { ...good, cni: { config: '{"cniVersion":"1.1.0","name":"n","plugins":[{"type":"bridge"}]}' } },
    'forbidden',
    /acme\.net was not granted CNI/,
  ],
] as const satisfies readonly (readonly [NetworkPlan, string, RegExp])[]) {
  test(`checkNetworkPlan() refuses a plan: ${message.source}`, () => {
    assert.throws(() => checkNetworkPlan(plan, { network, grants }), { code, message });
  });
}

for (const link of [
  { kind: 'existing', name: 'eth0', parent: 'eth0' },
  { kind: 'macvlan', name: 'eth%d', parent: 'eth0' },
  { kind: 'veth', name: 'eth%d', master: 'eth0' },
] as const) {
  test(`checkEndpointPlan() gives a container a ${link.kind} of the host's link only when the plugin was granted the host's network`, () => {
    const message = /acme\.net was not granted the host's network and describes its link eth0/;
    assert.throws(() => checkEndpointPlan({ ...endpoint, link }, { grants, network: good }), { code: 'forbidden', message });
    checkEndpointPlan({ ...endpoint, link }, { grants: { ...grants, hostLinks: true }, network: good });
  });
}

test('checkNetworkPlan() takes links that lie on others of the same plan', () => {
  const links = [
    { kind: 'dummy', name: 'd' },
    { kind: 'vlan', name: 'd.7', parent: 'd', attrs: { id: '7' } },
  ] as const;
  checkNetworkPlan({ ...good, links }, { network, grants });
});

test("checkEndpointPlan() lets a container join and build on what its network's plan makes, and on no link that this took over", () => {
  for (const link of [
    { kind: 'veth', name: 'eth%d', master: 'br-1' },
    { kind: 'macvlan', name: 'eth%d', parent: 'br-1' },
  ] as const) {
    checkEndpointPlan({ ...endpoint, link }, { grants, network: good });
    const taken = { links: [{ kind: 'bridge', name: 'br-1', existing: true }] } as const;
    assert.throws(() => checkEndpointPlan({ ...endpoint, link }, { grants, network: taken }), {
      code: 'forbidden',
      message: /its link br-1$/,
    });
  }
});

test('checkNetworkPlan() and checkEndpointPlan() tell whoever counts what they refuse', () => {
  const told: string[] = [];
  const counted = { ...grants, onViolation: (what: string) => told.push(what) };
  assert.throws(() => checkNetworkPlan({ ...good, links: [{ kind: 'veth', name: 'v' }] }, { network, grants: counted }));
  assert.throws(() => checkEndpointPlan({ ...endpoint, addresses: ['x'] }, { grants: counted, network: good }));
  checkNetworkPlan(good, { network, grants: counted });
  assert.deepEqual(told, [
    'plugin acme.net returned an invalid answer for createNetwork: links[0]: a veth belongs to a container, not to a network',
    'plugin acme.net returned an invalid answer for attach: x is no address with prefix length',
  ]);
});

test('checkNetworkPlan() takes a good plan, and rules that were granted and stay in their table', () => {
  checkNetworkPlan(good, { network, grants });
  const granted = { network, grants: { ...grants, nftables: true } };
  checkNetworkPlan({ ...good, rules: ['chain x { counter }'] }, granted);
  assert.throws(() => checkNetworkPlan({ ...good, rules: ['} flush ruleset'] }, granted), /end the table/);
  assert.throws(() => checkNetworkPlan({ ...good, rules: ['include "/etc/shadow"'] }, granted), /reach out/);
});

for (const [plan, message] of [
  [{ ...endpoint, link: { kind: 'veth', name: '../x' } }, /no link name/],
  [{ ...endpoint, link: { kind: 'bridge', name: 'b' } }, /belongs to a network/],
  [{ ...endpoint, link: { kind: 'macvlan', name: 'm' } }, /needs a parent/],
  [{ ...endpoint, addresses: ['10.0.0.2'] }, /no address with prefix length/],
  [{ ...endpoint, routes: [{ to: 'default' }] }, /no prefix/],
  [{ ...endpoint, routes: [{ to: '0.0.0.0/0', via: 'gw' }] }, /no address/],
  [{ ...endpoint, mac: '03:00:00:00:00:01' }, /no MAC address/],
  [{ ...endpoint, sysctls: { 'kernel.core_pattern': '|/x' } }, /out of bounds/],
  [{ ...endpoint, sysctls: { 'net/../kernel.x': '1' } }, /out of bounds/],
  [{ ...endpoint, neighbours: [{ ip: 'x', mac: '02:00:00:00:00:01' }] }, /neighbour/],
  [{ ...endpoint, gateway: '10.0.0.1/24' }, /gateway/],
] as const satisfies readonly (readonly [EndpointPlan, RegExp])[]) {
  test(`checkEndpointPlan() refuses a plan: ${message.source} ${JSON.stringify(plan).length}`, () => {
    assert.throws(() => checkEndpointPlan(plan, { grants, network: good }), { code: 'internal', message });
  });
}

test('isMac() refuses groups', () => {
  assert.deepEqual(['02:42:ac:11:00:02', '03:42:ac:11:00:02', '02:42:ac:11:00', 'zz'].map(isMac), [true, false, false, false]);
});

test('networkElements() and portElements() put networks and ports into the sets of the one table', () => {
  const isolation = { bridge: 'br-1', internal: true, interContainer: false, subnets: ['10.0.0.0/24', 'fd00::/64'] };
  assert.deepEqual(
    networkElements({ isolation, masquerade: [{ fromCidr: '10.0.0.0/24', exceptOutLink: 'br-1', toAddress: '192.0.2.1' }] }),
    [
      { set: 'bridges', text: '"br-1"' },
      { set: 'apart', text: '"br-1" . "br-1"' },
      { set: 'internal', text: '"br-1"' },
      { set: 'home4', text: '10.0.0.0/24 . "br-1"' },
      { set: 'home6', text: 'fd00::/64 . "br-1"' },
      { set: 'home4', text: '10.0.0.0/24 . "br-1"' },
      { set: 'source4', text: '10.0.0.0/24 : 192.0.2.1' },
    ],
  );
  const port = { protocol: 'udp', hostPort: 53, containerPort: 5353 } as const;
  assert.deepEqual(
    portElements([
      { ...port, hostIp: '', containerIp: '10.0.0.2' },
      { ...port, hostIp: 'fd99::1', containerIp: 'fd00::2' },
    ]),
    [
      { set: 'publish4', text: 'udp . 53 : 10.0.0.2 . 5353' },
      { set: 'publish6at', text: 'fd99::1 . udp . 53 : fd00::2 . 5353' },
    ],
  );
  assert.deepEqual(
    portElements([
      { ...port, hostIp: '', containerIp: '10.0.0.2', isDirect: true },
      { ...port, hostIp: '', hostPort: 0, containerIp: 'fd00::2' },
    ]),
    [
      { set: 'publish4', text: 'udp . 53 : 10.0.0.2 . 5353' },
      { set: 'direct4', text: '10.0.0.2 . udp . 5353' },
      { set: 'open6', text: 'fd00::2 . udp . 5353' },
    ],
  );
});

for (const [option, value, message] of [
  [
    'com.docker.network.driver.mtu',
    'zz',
    'failed to parse com.docker.network.driver.mtu value: zz (strconv.Atoi: parsing "zz": invalid syntax)',
  ],
  ['com.docker.network.driver.mtu', '67', /68 to 65535/],
  ['com.docker.network.bridge.enable_icc', 'maybe', /failed to parse com\.docker\.network\.bridge\.enable_icc value: maybe/],
  ['com.docker.network.bridge.name', 'br/../x', /no interface name/],
  ['com.docker.network.bridge.gateway_mode_ipv4', 'isolated', /only an internal network can be/],
  ['com.docker.network.bridge.host_binding_ipv4', '::1', /no IPv4 address/],
  ['encrypted', 'true', /unknown option encrypted/],
] as const) {
  test(`bridgeOptions() refuses ${option}=${value}`, () => {
    assert.throws(() => bridgeOptions({ ...network, options: { [option]: value } }), { code: 'invalid_argument', message });
  });
}
