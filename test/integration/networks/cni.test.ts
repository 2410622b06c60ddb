import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { cniFolders, greet, linkNames, Machine, Neighbour, reach, run } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const skip = ['bridge', 'macvlan', 'portmap', 'firewall', 'tuning', 'host-local', 'static'].every((name) =>
  existsSync(`${cniFolders[0]}/${name}`),
)
  ? existsSync('/usr/sbin/iptables')
    ? false
    : 'iptables is not installed, which CNI plugins use'
  : 'Debian’s containernetworking-plugins is not installed';

/** host-local keeps its books below /var/lib/cni. */
before(() => {
  mkdirSync('/var/lib/cni', { recursive: true });
  spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/var/lib/cni']);
});
after(() => {
  spawnSync('umount', ['/var/lib/cni']);
});

const subnet = '10.88.7.0/24';
const hostLocal = { type: 'host-local', ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] };
const bridge = { type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: true, hairpinMode: true, ipam: hostLocal };
const lists = {
  bridge: {
    cniVersion: '1.0.0',
    name: 'lan',
    plugins: [bridge, { type: 'portmap', capabilities: { portMappings: true } }, { type: 'firewall' }],
  },
  macvlan: {
    cniVersion: '0.4.0',
    name: 'wire',
    plugins: [{ type: 'macvlan', master: 'wire', ipam: { type: 'static', addresses: [{ address: '10.99.0.30/24' }] } }],
  },
};
const options = (list: object) => ({ config: JSON.stringify(list) });
const create = (machine: Machine, list: object, name = 'lan') => machine.room.create({ name, driver: 'cni', options: options(list) });

/** What they leave by design, in a namespace that goes with this test. */
function sweepCni(): void {
  spawnSync('iptables', ['-P', 'FORWARD', 'ACCEPT']);
  for (const name of ['cni0', 'cni1']) spawnSync('ip', ['link', 'delete', name]);
  for (const table of ['ip nat', 'ip filter', 'ip6 nat', 'ip6 filter']) spawnSync('nft', ['delete', 'table', ...table.split(' ')]);
}

const allocated = () => listed('/var/lib/cni/networks/lan').filter((name) => /^\d/.test(name));

function listed(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

test('a bridge, portmap and firewall chain runs as it is: addresses, a way out, published ports, names, and nothing left', {
  skip,
}, async () => {
  using neighbour = new Neighbour();
  try {
    await using machine = await Machine.start();
    await create(machine, lists.bridge);
    const web = await machine.run('web', {
      hostConfig: { NetworkMode: 'lan', PortBindings: { '80/tcp': [{ HostPort: '8080' }, { HostPort: '' }] } },
    });
    await web.serve(80);
    const other = await machine.run('other', { hostConfig: { NetworkMode: 'lan' } });
    const [endpoint] = web.sandbox?.endpoints ?? [];
    assert.deepEqual([endpoint?.ipAddress, endpoint?.ipPrefixLength, endpoint?.gateway], ['10.88.7.2', 24, '10.88.7.1']);
    assert.match(await web.run('ip', 'address', 'show', 'eth0'), new RegExp(`${endpoint?.macAddress}[\\s\\S]*inet 10\\.88\\.7\\.2/24`));
    const shown = machine.room.ports(web)['80/tcp'] ?? [];
    const ports = shown.filter(({ hostIp }) => hostIp === '0.0.0.0').map(({ hostPort }) => hostPort);
    assert.equal(ports[0], 8080);
    for (const port of ports) assert.equal(await neighbour.reach('10.99.0.1', port), 'web to 10.99.0.2');
    assert.match(await other.reach('10.88.7.2', 80), /^web to 10\.88\.7\.3/);
    assert.match(await other.run('busybox', 'nslookup', 'web', '127.0.0.11'), /10\.88\.7\.2/);
    await assert.rejects(machine.run('late', { hostConfig: { NetworkMode: 'lan', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } }), {
      message: 'Bind for 0.0.0.0:8080 failed: port is already allocated to container web',
    });
    await assert.rejects(web.publish({ '80/tcp': [{ HostPort: '8081' }] }), { code: 'conflict', message: /container web on network lan/ });
    assert.equal(allocated().length, 2, 'that of the one that did not start was given back');
    await web.stop();
    assert.equal(await neighbour.reach('10.99.0.1', 8080), '');
    assert.deepEqual(allocated(), ['10.88.7.3']);
    await other.stop();
    assert.deepEqual([allocated(), linkNames().filter((name) => name.startsWith('veth'))], [[], []]);
    assert.doesNotMatch(await run('', 'iptables', '-t', 'nat', '-S'), /10\.88\.7\.2/);
  } finally {
    sweepCni();
  }
});

test('on a machine that forwards nothing by itself the firewall plugin lets containers out, and forgets them afterwards', {
  skip,
}, async () => {
  using neighbour = new Neighbour();
  const outside = await greet(neighbour.netns, { port: 7000, ip: '10.99.0.2', greeting: 'outside' });
  try {
    await using machine = await Machine.start();
    await create(machine, lists.bridge);
    const plugins = [{ ...bridge, bridge: 'cni1', ipam: { ...hostLocal, ranges: [[{ subnet: '10.88.8.0/24' }]] } }];
    await create(machine, { ...lists.bridge, name: 'walled', plugins }, 'walled');
    spawnSync('iptables', ['-P', 'FORWARD', 'DROP']);
    const [web, walled] = [
      await machine.run('web', { hostConfig: { NetworkMode: 'lan' } }),
      await machine.run('walled', { hostConfig: { NetworkMode: 'walled' } }),
    ];
    assert.equal(await web.reach('10.99.0.2', 7000), 'outside to 10.99.0.1');
    assert.equal(await walled.reach('10.99.0.2', 7000), '', 'what there is without the plugin');
    const hasRules = async () => (await run('', 'iptables', '-S', 'CNI-FORWARD')).includes(` -s ${web.address}/32 `);
    assert.ok(await hasRules());
    await web.stop();
    assert.equal(await hasRules(), false);
  } finally {
    outside.close();
    sweepCni();
  }
});

test('a static address goes to a plugin that takes ips, as long as nobody has it', { skip }, async () => {
  const at = (IPv4Address: string) => ({ hostConfig: { NetworkMode: 'lan' }, networks: { lan: { IPAMConfig: { IPv4Address } } } });
  try {
    await using machine = await Machine.start();
    await create(machine, { ...lists.bridge, plugins: [{ ...bridge, capabilities: { ips: true } }] });
    const web = await machine.run('web', at('10.88.7.50'));
    assert.equal(web.sandbox?.endpoints[0]?.ipPrefixLength, 24);
    assert.match(await web.run('ip', 'address', 'show', 'eth0'), /inet 10\.88\.7\.50\/24/);
    await assert.rejects(machine.run('twin', at('10.88.7.50')), {
      code: 'unavailable',
      message: /^CNI plugin bridge failed to ADD: .*10\.88\.7\.50/,
    });
    await assert.rejects(machine.run('stray', at('10.99.7.50')), { message: /^CNI plugin bridge failed to ADD: .*10\.99\.7\.50/ });
    assert.deepEqual(allocated(), ['10.88.7.50']);
    await web.stop();
    const late = await machine.run('late');
    await machine.room.connect('lan', 'late', { IPAMConfig: { IPv4Address: '10.88.7.50' } });
    assert.match(await late.run('ip', 'address', 'show', 'eth1'), /inet 10\.88\.7\.50\/24/);
    await machine.room.disconnect('lan', 'late', { force: false });
    assert.deepEqual(allocated(), []);
  } finally {
    sweepCni();
  }
});

test('a chain of macvlan and tuning with addresses of host-local: neighbours of the machine, with the MAC address and the sysctls that are wished', {
  skip,
}, async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  const ipam = { type: 'host-local', ranges: [[{ subnet: '10.99.0.0/24', rangeStart: '10.99.0.100', gateway: '10.99.0.2' }]] };
  const plugins = [
    { type: 'macvlan', master: 'wire', mode: 'bridge', capabilities: { ips: true }, ipam },
    { type: 'tuning', sysctl: { 'net.ipv4.conf.eth0.log_martians': '1' }, capabilities: { mac: true } },
  ];
  await create(machine, { cniVersion: '1.0.0', name: 'lan', plugins });
  const web = await machine.run('web', {
    hostConfig: { NetworkMode: 'lan' },
    config: { MacAddress: '02:00:00:00:00:31' },
    networks: { lan: { IPAMConfig: { IPv4Address: '10.99.0.131' } } },
  });
  const other = await machine.run('other', { hostConfig: { NetworkMode: 'lan' } });
  await web.serve(80);
  assert.equal(await neighbour.reach('10.99.0.131', 80), 'web to 10.99.0.2');
  assert.equal(await other.reach('10.99.0.131', 80), `web to ${other.address}`);
  assert.match(await run(neighbour.netns, 'ip', 'neighbour', 'show', '10.99.0.131'), /02:00:00:00:00:31/);
  assert.equal((await web.run('cat', '/proc/sys/net/ipv4/conf/eth0/log_martians')).trim(), '1');
  for (const container of [web, other]) await container.stop();
  assert.deepEqual(allocated(), []);
});

test('after a kill of the engine adopt() checks what CNI plugins made, and sweep() undoes what nobody has', { skip }, async () => {
  try {
    await using machine = await Machine.start();
    await create(machine, lists.bridge);
    const [web, gone, broken] = [
      await machine.run('web', { hostConfig: { NetworkMode: 'lan' } }),
      await machine.run('gone', { hostConfig: { NetworkMode: 'lan' } }),
      await machine.run('broken', { hostConfig: { NetworkMode: 'lan' } }),
    ];
    await web.serve(80);
    machine.containers.delete(gone.id);
    await broken.run('ip', 'address', 'flush', 'dev', 'eth0');
    await machine.restart();
    for (const container of [web, broken]) await machine.room.adopt(container);
    await machine.room.sweep(new Set([web.id, broken.id]));
    assert.deepEqual(allocated().toSorted(), [web.address, broken.address].toSorted());
    const told = machine.logged.filter((line) => line.includes('a CNI network is not as it was made'));
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /"container":"broken","network":"lan","reason":"CNI plugin bridge failed to CHECK: /);
    assert.match(await reach('', web.address, 80), /^web to /);
  } finally {
    sweepCni();
  }
});

test('macvlan by CNI with a static address joins a container’s other networks, and leaves it', { skip }, async () => {
  using neighbour = new Neighbour();
  await using machine = await Machine.start();
  await create(machine, lists.macvlan, 'wire');
  const web = await machine.run('web');
  await web.serve(80);
  await machine.room.connect('wire', 'web', {});
  assert.match(await web.run('ip', 'address', 'show', 'eth1'), /inet 10\.99\.0\.30\/24/);
  assert.match(await neighbour.reach('10.99.0.30', 80), /^web to /);
  assert.match(await web.run('ip', 'route'), /default via 172\.17\.0\.1 dev eth0/);
  await machine.room.disconnect('wire', 'web', { force: false });
  assert.doesNotMatch(await web.run('ip', 'link'), /eth1/);
});

test('what a CNI plugin says when it fails is one line with its name, and nothing of the container stays', { skip }, async () => {
  try {
    await using machine = await Machine.start();
    const tiny = { ...hostLocal, ranges: [[{ subnet: '10.88.7.0/29', rangeStart: '10.88.7.2', rangeEnd: '10.88.7.2' }]] };
    await create(machine, { ...lists.bridge, plugins: [{ ...bridge, ipam: tiny }] });
    await create(
      machine,
      { cniVersion: '1.0.0', name: 'half', plugins: [{ ...bridge, bridge: 'cni0' }, { type: 'no-such-plugin' }] },
      'half',
    );
    await machine.run('first', { hostConfig: { NetworkMode: 'lan' } });
    await assert.rejects(machine.run('second', { hostConfig: { NetworkMode: 'lan' } }), {
      code: 'unavailable',
      message:
        /^CNI plugin bridge failed to ADD: failed to allocate for range 0: no IP addresses available in range set: 10\.88\.7\.2-10\.88\.7\.2$/,
    });
    await assert.rejects(machine.run('third', { hostConfig: { NetworkMode: 'half' } }), {
      code: 'unavailable',
      message: 'CNI plugin no-such-plugin is not installed',
    });
    assert.deepEqual(allocated(), ['10.88.7.2']);
  } finally {
    sweepCni();
  }
});

for (const [what, config, message] of [
  ['no JSON', '{', /config of CNI network lan is no JSON/],
  ['a version that is too old', JSON.stringify({ ...lists.bridge, cniVersion: '0.2.0' }), /cniVersion is "0\.2\.0"/],
  ['no plugins', JSON.stringify({ ...lists.bridge, plugins: [] }), /each of its plugins needs a type/],
  ['a path for a program', JSON.stringify({ ...lists.bridge, plugins: [{ type: '../../bin/sh' }] }), /each of its plugins needs a type/],
  ['another name', JSON.stringify({ ...lists.bridge, name: '../x' }), /"\.\.\/x" is no name of a network/],
] as const)
  test(`NetworksRoom.create() refuses a CNI network with ${what}`, async () => {
    await using machine = await Machine.start();
    await assert.rejects(machine.room.create({ name: 'lan', driver: 'cni', options: { config } }), { code: 'invalid_argument', message });
  });

test('what a CNI network cannot keep is refused', async () => {
  await using machine = await Machine.start();
  const config = JSON.stringify(lists.macvlan);
  for (const [request, message] of [
    [{ options: {} }, /needs the option config/],
    [{ options: { config, parent: 'eth0' } }, /unknown option parent/],
    [{ options: { config }, internal: true }, /cannot be internal/],
    [{ options: { config }, ipam: { Config: [{ Subnet: '10.9.0.0/24' }] } }, /gives out addresses itself/],
  ] as const)
    await assert.rejects(machine.room.create({ name: 'lan', driver: 'cni', ...request }), { code: 'invalid_argument', message });
  await create(machine, lists.macvlan);
  for (const [wishes, message] of [
    [
      { hostConfig: { NetworkMode: 'lan', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } },
      /lan takes published ports \(capability portMappings\)/,
    ],
    [
      { hostConfig: { NetworkMode: 'lan' }, networks: { lan: { IPAMConfig: { IPv4Address: '10.99.0.40' } } } },
      /lan takes the address 10\.99\.0\.40 \(capability ips\)/,
    ],
    [{ hostConfig: { NetworkMode: 'lan' }, config: { MacAddress: '02:00:00:00:00:01' } }, /lan takes the MAC address 02:00:00:00:00:01/],
    [{ hostConfig: { NetworkMode: 'lan' }, networks: { lan: { DriverOpts: { cni_args: 'IP' } } } }, /"IP" is no KEY=VALUE/],
  ] as const)
    await assert.rejects(machine.run('web', wishes), { code: 'invalid_argument', message });
});
