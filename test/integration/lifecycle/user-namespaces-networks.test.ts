import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { CreateNetwork } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { noLeaks } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { greet, Neighbour, whyNoLinks } from '../networks/machine.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const ranges = [{ inside: 0, outside: 200_000, size: 65_536 }];
const idMaps = { uids: ranges, gids: ranges };
const hasCni = ['bridge', 'macvlan', 'portmap', 'firewall', 'host-local', 'static'].every((name) => existsSync(`/usr/lib/cni/${name}`));
const noCni = hasCni && existsSync('/usr/sbin/iptables') ? false : 'needs Debian’s containernetworking-plugins and iptables';

let under: EngineUnderTest;
let neighbour: Neighbour;
before(async () => {
  mkdirSync('/var/lib/cni', { recursive: true });
  spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/var/lib/cni']);
  // What the first network with IPv6 switches on, for good.
  writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1');
  neighbour = new Neighbour();
  await neighbour.settled();
  under = await EngineUnderTest.open({ containerDefaults: { idMaps } });
  chmodSync(under.folder, 0o711);
  await under.warm();
  await under.run('true', { hostConfig: { NetworkMode: 'bridge' } });
});
after(async () => {
  await under[Symbol.asyncDispose]();
  neighbour[Symbol.dispose]();
  spawnSync('umount', ['/var/lib/cni']);
});

const lan = { Config: [{ Subnet: '10.99.0.0/24', IPRange: '10.99.0.128/25', Gateway: '10.99.0.2' }] };
const hostLocal = { type: 'host-local', ranges: [[{ subnet: '10.88.7.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] };
const list = (plugins: readonly object[]) => ({ config: JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins }) });

/** Networks by driver; where a neighbour of the machine is reached from them. */
const kinds: readonly (readonly [what: string, wish: Omit<CreateNetwork, 'name'>, skip: string | false])[] = [
  ['bridge', { driver: 'bridge', ipam: { Config: [{ Subnet: '10.77.0.0/24' }] } }, false],
  ['bridge with IPv6', { driver: 'bridge', ipv6: true }, false],
  ['macvlan', { driver: 'macvlan', ipam: lan, options: { parent: 'wire' } }, false],
  ['ipvlan', { driver: 'ipvlan', ipam: lan, options: { parent: 'wire' } }, whyNoLinks('ipvlan')],
  [
    'cni (bridge, portmap, firewall)',
    {
      driver: 'cni',
      options: list([
        { type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: true, hairpinMode: true, ipam: hostLocal },
        { type: 'portmap', capabilities: { portMappings: true } },
        { type: 'firewall' },
      ]),
    },
    noCni,
  ],
  [
    'cni (macvlan)',
    {
      driver: 'cni',
      options: list([
        { type: 'macvlan', master: 'wire', ipam: { ...hostLocal, ranges: [[{ subnet: '10.99.0.0/24', rangeStart: '10.99.0.40' }]] } },
      ]),
    },
    noCni,
  ],
];
for (const [what, wish, skip] of kinds)
  test(`${what}: a container with a user namespace reaches its neighbours and is reached, and rules over its links alone`, {
    skip,
  }, async () => {
    await using _nothingLeft = noLeaks();
    await using _network = await created(wish);
    const NetworkMode = 'net';
    await using _outside = await greet(neighbour.netns, { port: 7000, ip: '10.99.0.2', greeting: 'outside' });
    await using server = await under.sleeping({ name: 'server', hostConfig: { NetworkMode, CapAdd: ['NET_ADMIN'] } });
    const sh = async (script: string) => (await under.exec(server.id, ['sh', '-c', script])).stdout.trim();
    const { ipAddress: address = '', ipAddress6 = '' } = server.inspect().networks[0] ?? {};
    assert.match(await sh('ip -o -4 address show eth0'), new RegExp(`inet ${address.replaceAll('.', '\\.')}/`));
    await under.exec(server.id, ['sh', '-c', 'mkdir /www; echo hi > /www/index.html; httpd -p 80 -h /www']);
    assert.equal((await under.run(`wget -qO- http://${address}/`, { hostConfig: { NetworkMode } })).stdout, 'hi\n');
    assert.equal(ipAddress6 !== '', wish.ipv6 === true);
    if (ipAddress6 !== '')
      assert.equal((await under.run(`wget -qO- 'http://[${ipAddress6}]/'`, { hostConfig: { NetworkMode } })).stdout, 'hi\n');
    assert.match(await sh('nc 10.99.0.2 7000 < /dev/null'), /^outside to /);
    // Its network namespace belongs to its user namespace: with the capability its root adds addresses there, and without it does not.
    assert.equal((await under.exec(server.id, ['ip', 'address', 'add', '10.66.0.1/32', 'dev', 'eth0'])).exitCode, 0);
    assert.equal(await sh('stat -c %u /sys/class/net/eth0/'), '0');
    const joined = { hostConfig: { NetworkMode: 'container:server' } };
    assert.equal((await under.run('wget -qO- http://127.0.0.1/', joined)).stdout, 'hi\n');
    assert.notEqual((await under.run('ip address add 10.66.0.2/32 dev eth0', joined)).exitCode, 0);
    assert.notEqual((await under.run('wget -T 2 -qO- http://127.0.0.1/', { hostConfig: { NetworkMode: 'none' } })).exitCode, 0);
  });

async function created(wish: Omit<CreateNetwork, 'name'>): Promise<AsyncDisposable> {
  const { networks } = under.engine;
  await networks.create({ name: 'net', ...wish });
  return {
    async [Symbol.asyncDispose]() {
      await networks.remove('net');
      sweepCni();
    },
  };
}

/** What they leave by design, in a namespace that goes with this test. */
function sweepCni(): void {
  spawnSync('ip', ['link', 'delete', 'cni0']);
  for (const table of ['ip nat', 'ip filter', 'ip6 nat', 'ip6 filter']) spawnSync('nft', ['delete', 'table', ...table.split(' ')]);
}
