import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { createNetns, removeNetns, Rtnetlink } from '@gantry/sdk/linux';
import type { Endpoint, Network, NetworkDriver } from '@gantry/sdk/network';
import { checkEndpointPlan } from '../../../core/execute/network-check.ts';
import { NetworkExecutor } from '../../../core/execute/index.ts';
import { networkCases } from '../../../sdk/network/conformance.ts';
import { DockerNetworkPlugin } from '../../support/plugins/docker-network-plugin.ts';
import { DockerPluginHost } from '../../support/plugins/docker-plugin-host.ts';
import { type DockerMethod, startDockerPlugin } from '../../support/plugins/docker-plugin.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';
import { run } from '../networks/machine.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const grants = { plugin: 'test', dataDir: '/', mountTypes: [], hostPaths: [], devices: [], nftables: false, hostLinks: true };
const network: Network = {
  id: 'c'.repeat(64),
  name: 'net',
  subnets: [{ cidr: '10.66.0.0/24', gateway: '10.66.0.1', aux: { router: '10.66.0.9' } }],
  internal: false,
  ipv4: true,
  ipv6: false,
  attachable: false,
  options: { colour: 'red' },
  labels: {},
};
const endpoint: Endpoint = {
  attachmentId: 'a1',
  containerId: 'd'.repeat(64),
  containerName: 'web',
  hostname: 'web',
  aliases: [],
  addresses: ['10.66.0.2/24'],
  options: { speed: 'high' },
};

/** The plugin keeps a bridge for each network, which cases that never remove theirs would leave behind: they make namespaces of their own. */
const kernelFree = networkCases.filter(({ name }) => !/interface-up|ping|isolated|cleans|undo-without/.test(name));
for (const { name, skip, run: prove } of kernelFree) {
  test(`a Docker network plugin behind the adapter passes network.${name}`, async (context) => {
    await withPlugin(async ({ driver, plugin }) => {
      const subject = { driver, ctx, hostLinks: true };
      const reason = skip(subject);
      if (reason === undefined) await prove(subject);
      else context.skip(reason);
      plugin.cleanUp();
    });
  });
}

test('a Docker network plugin hears Docker words, and its interface becomes the container, with its routes, and comes back', async () => {
  await withPlugin(async ({ driver, plugin, calls }) => {
    using executor = new NetworkExecutor(quietLog);
    const { network: made } = await driver.createNetwork({ network }, ctx);
    const plan = await driver.attach({ network: made, endpoint }, ctx);
    assert.deepEqual(await driver.attach({ network: made, endpoint }, ctx), plan);
    checkEndpointPlan(plan, { grants, network: { links: [] } });
    assert.deepEqual(
      { ...plan, link: { ...plan.link, parent: '' } },
      {
        link: { kind: 'existing', name: 'lan%d', parent: '' },
        mac: '02:42:00:00:00:07',
        addresses: ['10.66.0.2/24'],
        routes: [
          { to: '10.99.0.0/16', via: '10.66.0.1' },
          { to: '10.98.0.0/16', scope: 'link' },
          { to: '0.0.0.0/0', via: '10.66.0.1' },
        ],
        publishable: true,
        gateway: '10.66.0.1',
      },
    );
    mkdirSync('/run/netns-test', { recursive: true });
    const netnsPath = '/run/netns-test/one';
    createNetns(netnsPath);
    const { ifname, mac } = executor.makeEndpoint({ endpointId: 'e'.repeat(64), netnsPath, plan, isGateway: true });
    assert.deepEqual([ifname, mac], ['lan0', '02:42:00:00:00:07']);
    assert.match(await run(netnsPath, 'busybox', 'ping', '-c', '1', '-W', '2', '10.66.0.1'), /1 packets received/);
    const routes = await run(netnsPath, 'ip', 'route');
    for (const line of ['default via 10.66.0.1 dev lan0', '10.98.0.0/16 dev lan0', '10.99.0.0/16 via 10.66.0.1']) {
      assert.ok(routes.includes(line), `${line} in ${routes}`);
    }
    await executor.undoEndpoint({ endpointId: 'e'.repeat(64), netnsPath, ifname, plan });
    assert.ok(links().includes(plan.link.parent ?? ''), 'the interface is back under its name');
    removeNetns(netnsPath);
    for (let round = 0; round < 2; round += 1) await driver.detach({ network: made, attachmentId: 'a1', netnsGone: false }, ctx);
    await driver.removeNetwork({ network: made }, ctx);
    assert.deepEqual(links(), ['lo']);
    assert.deepEqual(plugin.lastNetwork, {
      NetworkID: network.id,
      Options: {
        'com.docker.network.generic': { colour: 'red' },
        'com.docker.network.enable_ipv4': true,
        'com.docker.network.enable_ipv6': false,
      },
      IPv4Data: [{ AddressSpace: 'LocalDefault', Pool: '10.66.0.0/24', Gateway: '10.66.0.1/24', AuxAddresses: { router: '10.66.0.9/24' } }],
      IPv6Data: [],
    });
    assert.deepEqual(
      calls.map((call) => call.replace('NetworkDriver.', '')).filter((call) => call !== 'Plugin.Activate'),
      [
        'CreateNetwork',
        'CreateEndpoint',
        'Join',
        'ProgramExternalConnectivity',
        'RevokeExternalConnectivity',
        'Leave',
        'DeleteEndpoint',
        'DeleteNetwork',
      ],
    );
  });
});

test('a Docker network plugin that forgot its networks is told again', async () => {
  await withPlugin(async ({ driver, plugin, calls }) => {
    await driver.createNetwork({ network }, ctx);
    plugin.cleanUp();
    plugin.forget();
    await driver.attach({ network, endpoint }, ctx);
    assert.equal(calls.filter((call) => call === 'NetworkDriver.CreateNetwork').length, 2);
    await driver.detach({ network, attachmentId: 'a1', netnsGone: true }, ctx);
    await driver.removeNetwork({ network }, ctx);
  });
});

const answers: Readonly<Record<string, { readonly join?: object; readonly created?: object; readonly message: RegExp }>> = {
  'no interface name': { join: { InterfaceName: { SrcName: 'a/b' } }, message: /SrcName "a\/b"/ },
  'an interface name that is too long': { join: { InterfaceName: { SrcName: 'x'.repeat(16) } }, message: /SrcName/ },
  'the loopback': { join: { InterfaceName: { SrcName: 'lo' } }, message: /SrcName "lo"/ },
  'a bad prefix for names': { join: { InterfaceName: { SrcName: 'ok', DstPrefix: '%s' } }, message: /DstName/ },
  'a gateway that is none': { join: { InterfaceName: { SrcName: 'ok' }, Gateway: '10.66.0.1/24' }, message: /Gateway/ },
  'a gateway of the other family': { join: { InterfaceName: { SrcName: 'ok' }, GatewayIPv6: '10.66.0.1' }, message: /GatewayIPv6/ },
  'a route to nowhere': { join: { InterfaceName: { SrcName: 'ok' }, StaticRoutes: [{ Destination: 'x' }] }, message: /route to "x"/ },
  'another address than the allocated one': {
    created: { Interface: { Address: '10.66.0.3/24' } },
    message: /although it was given 10\.66\.0\.2/,
  },
  'an address without prefix': { created: { Interface: { AddressIPv6: 'fd00::2' } }, message: /no address with its prefix/ },
  'a MAC address that is none': { created: { Interface: { MacAddress: 'zz' } }, message: /MacAddress/ },
  'an interface that is no object': { created: { Interface: 'eth0' }, message: /Interface as string/ },
};
for (const [what, { join = { InterfaceName: { SrcName: 'ok' } }, created = {}, message }] of Object.entries(answers)) {
  test(`a Docker network plugin may not answer ${what}: what it made is taken back`, async () => {
    await using host = new DockerPluginHost();
    const methods: Record<string, DockerMethod> = {};
    for (const name of ['CreateNetwork', 'Leave', 'DeleteEndpoint']) methods[`NetworkDriver.${name}`] = () => ({});
    methods['NetworkDriver.CreateEndpoint'] = () => created;
    methods['NetworkDriver.Join'] = () => join;
    await using plugin = await startDockerPlugin(host.socket('n'), ['NetworkDriver'], methods);
    const driver = await host.driver('network', 'n');
    await assert.rejects(driver.attach({ network, endpoint }, ctx), { code: 'internal', message });
    assert.deepEqual(plugin.calls.slice(-2), ['NetworkDriver.Leave', 'NetworkDriver.DeleteEndpoint']);
    await driver.detach({ network, attachmentId: 'a1', netnsGone: false }, ctx);
    assert.equal(plugin.calls.filter((call) => call === 'NetworkDriver.Leave').length, 1);
  });
}

test('the engine moves no interface into a container that is its own, or that is not there', () => {
  using executor = new NetworkExecutor(quietLog);
  mkdirSync('/run/netns-test', { recursive: true });
  const netnsPath = '/run/netns-test/two';
  createNetns(netnsPath);
  const plan = { addresses: [], routes: [], publishable: false };
  const work = (parent: string) => ({
    endpointId: 'e'.repeat(64),
    netnsPath,
    plan: { ...plan, link: { kind: 'existing', name: 'eth%d', parent } } as const,
    isGateway: true,
  });
  for (const parent of ['lo', 'nothing']) assert.throws(() => executor.makeEndpoint(work(parent)), { code: 'conflict' });
  removeNetns(netnsPath);
});

async function withPlugin(
  work: (made: {
    readonly driver: NetworkDriver;
    readonly plugin: DockerNetworkPlugin & { cleanUp(): void };
    readonly calls: readonly string[];
  }) => Promise<void>,
): Promise<void> {
  await using host = new DockerPluginHost();
  using plugin = new DockerNetworkPlugin();
  await using served = await startDockerPlugin(host.socket('n'), ['NetworkDriver'], plugin.methods);
  const cleanUp = (): void => {
    using kernel = Rtnetlink.open();
    for (const { name, index } of kernel.linkList()) if (/^(dp|out)/.test(name)) kernel.linkDelete(index);
  };
  await work({ driver: await host.driver('network', 'n'), plugin: Object.assign(plugin, { cleanUp }), calls: served.calls });
}

function links(): readonly string[] {
  using kernel = Rtnetlink.open();
  return kernel.linkList().map(({ name }) => name);
}
