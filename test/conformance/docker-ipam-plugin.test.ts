import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { ipamCases } from '../../sdk/ipam/conformance.ts';
import { DockerIpamPlugin } from '../support/plugins/docker-ipam-plugin.ts';
import { DockerPluginHost } from '../support/plugins/docker-plugin-host.ts';
import { startDockerPlugin } from '../support/plugins/docker-plugin.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { quietLog } from '../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const pool = { requestId: 'n', cidr: '', range: '', ipv6: false, exclude: ['10.1.0.0/16'], options: {} };

for (const { name, run } of ipamCases) {
  test(`a Docker IPAM plugin behind the adapter passes ipam.${name}`, async () => {
    await using host = new DockerPluginHost();
    await using _plugin = await startDockerPlugin(host.socket('i'), ['IpamDriver'], new DockerIpamPlugin().methods);
    const restart = async () => {
      await host.restart();
      return host.driver('ipam', 'i');
    };
    await run({ driver: await host.driver('ipam', 'i'), ctx, restart });
  });
}

const answers: readonly (readonly [what: string, pool: object, address: object, message: RegExp])[] = [
  ['no pool', { PoolID: 'p' }, {}, /pool ""/],
  ['a pool without id', { Pool: '10.9.0.0/24' }, {}, /without an id/],
  ['a pool of the other family', { PoolID: 'p', Pool: 'fd00::/64' }, {}, /no IPv4 prefix/],
  ['a pool that is in use', { PoolID: 'p', Pool: '10.1.2.0/24' }, {}, /although 10\.1\.0\.0\/16 is in use/],
  ['an address outside', { PoolID: 'p', Pool: '10.9.0.0/24' }, { Address: '10.8.0.1/24' }, /not one of 10\.9\.0\.0\/24/],
  ['an address without prefix', { PoolID: 'p', Pool: '10.9.0.0/24' }, { Address: '10.9.0.1' }, /not one of/],
  ['an Error', { Error: 'the books burnt' }, {}, /plugin i: IpamDriver\.RequestPool: the books burnt/],
];
for (const [what, poolAnswer, addressAnswer, message] of answers) {
  test(`a Docker IPAM plugin may not answer ${what}`, async () => {
    await using host = new DockerPluginHost();
    await using _plugin = await startDockerPlugin(host.socket('i'), ['IpamDriver'], {
      'IpamDriver.GetDefaultAddressSpaces': () => ({}),
      'IpamDriver.RequestPool': () => poolAnswer,
      'IpamDriver.ReleasePool': () => ({}),
      'IpamDriver.RequestAddress': () => addressAnswer,
    });
    const driver = await host.driver('ipam', 'i');
    const work = async () => {
      const { poolId } = await driver.requestPool(pool, ctx);
      await driver.requestAddress({ poolId, owner: 'o', preferred: '', gateway: true }, ctx);
    };
    await assert.rejects(work, { code: 'internal', message });
  });
}
