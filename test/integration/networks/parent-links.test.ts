import assert from 'node:assert/strict';
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import type { EndpointPlan, Network, NetworkDriver, NetworkPlan } from '@gantry/sdk/network';
import { Database } from '../../../core/metadata/index.ts';
import ipvlan from '../../../plugins/network/ipvlan/main.ts';
import macvlan from '../../../plugins/network/macvlan/main.ts';
import { Kernel } from '../../support/plugins/conformance-world.ts';
import { hostContext } from '../../support/clients/host-context.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';
import { Neighbour, run, whyNoLinks } from './machine.ts';

inNamespaces(import.meta.url);
leakGuard();

// Plans of macvlan and ipvlan in the kernel, by ping alone: it needs no nftables, which some test kernels lack.
const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const reaches = /[1-9]\d* (packets )?received/;
const noDummy = whyNoLinks('dummy');
const noIpvlan = whyNoLinks('ipvlan');

for (const [driver, options, { skip, siblings, neighbour: isNear }] of [
  ['macvlan', { parent: 'wire' }, { skip: false, siblings: true, neighbour: true }],
  ['macvlan', { parent: 'wire', macvlan_mode: 'private' }, { skip: false, siblings: false, neighbour: true }],
  ['macvlan', { parent: 'wire.20' }, { skip: whyNoLinks('vlan'), siblings: true, neighbour: false }],
  ['macvlan', {}, { skip: noDummy, siblings: true, neighbour: false }],
  ['ipvlan', { parent: 'wire' }, { skip: noIpvlan, siblings: true, neighbour: true }],
  ['ipvlan', { parent: 'wire', ipvlan_flag: 'private' }, { skip: noIpvlan, siblings: false, neighbour: true }],
  ['ipvlan', { parent: 'wire', ipvlan_mode: 'l3' }, { skip: noIpvlan, siblings: true, neighbour: true }],
  ['ipvlan', { parent: 'wire', ipvlan_mode: 'l3s' }, { skip: noIpvlan, siblings: true, neighbour: true }],
  ['ipvlan', {}, { skip: noIpvlan || noDummy, siblings: true, neighbour: false }],
] as const) {
  const reach = `reaches ${[siblings ? 'its siblings' : 'no sibling', isNear ? 'the neighbour' : 'no neighbour'].join(' and ')}`;
  test(`${driver} with ${JSON.stringify(options)} ${reach}, and its address is free when it is gone`, { skip }, async () => {
    using neighbour = new Neighbour();
    using kernel = new Kernel();
    using folder = mkdtempDisposableSync(join(tmpdir(), 'links-'));
    using database = new Database(join(folder.path, 'metadata.db'));
    const before = kernel.links();
    const given = await open(driver, database);
    const plan = await given.createNetwork({ network: network(options) }, ctx);
    kernel.makeNetwork(plan);
    const endpoint = async (host: number) => kernel.makeEndpoint(await attach(given, plan, host));
    const [one, two] = [await endpoint(131), await endpoint(132)];
    const ping = (address: string) => kernel.run(one, 'busybox', 'ping', '-c', '1', '-W', '1', address);
    assert.equal(reaches.test(await ping('10.99.0.132')), siblings);
    // In l3 the neighbour is asked from an address that it answers only by a route.
    await run(neighbour.netns, 'ip', 'route', 'add', '10.99.0.131/32', 'via', '10.99.0.1');
    if (options.ipvlan_mode === undefined) await run(neighbour.netns, 'ip', 'route', 'delete', '10.99.0.131/32');
    assert.equal(reaches.test(await ping('10.99.0.2')), isNear, await kernel.run(one, 'ip', 'route'));
    await two.remove();
    const heir = await endpoint(132);
    for (const made of [heir, one]) await made.remove();
    await kernel.removeNetwork(plan);
    assert.deepEqual(kernel.links(), before);
  });
}

async function open(name: 'macvlan' | 'ipvlan', database: Database): Promise<NetworkDriver> {
  const { drivers } = await { macvlan, ipvlan }[name].activate(hostContext({ name, dataDir: '/run', database, log: quietLog }));
  return drivers.network?.[name] ?? assert.fail(`no driver ${name}`);
}

function attach(driver: NetworkDriver, { network: normalised }: NetworkPlan, host: number): Promise<EndpointPlan> {
  const names = { attachmentId: `a${host}`, containerId: `${host}`.padEnd(64, '0'), containerName: `c${host}`, hostname: `c${host}` };
  return driver.attach({ network: normalised, endpoint: { ...names, aliases: [], addresses: [`10.99.0.${host}/24`], options: {} } }, ctx);
}

function network(options: Readonly<Record<string, string>>): Network {
  const subnets = [{ cidr: '10.99.0.0/24', gateway: '10.99.0.2' }];
  return { id: 'c'.repeat(64), name: 'lan', subnets, internal: false, ipv4: true, ipv6: false, attachable: false, options, labels: {} };
}
