import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ctx, HostContext, Logger } from '@gantry/sdk';
import type { IpamDriver } from '@gantry/sdk/ipam';
import { Database } from '../../core/metadata/index.ts';
import plugin from '../../plugins/ipam/default/main.ts';
import { ipamCases } from '../../sdk/ipam/conformance.ts';
import { hostContext } from '../support/clients/host-context.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { testPlacements } from '../support/plugins/placed-suite.ts';

inNamespaces(import.meta.url);

const request = { requestId: 'n', cidr: '', range: '', ipv6: false, exclude: [], options: {} };
const quiet = (): void => {};
const log: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => log };
const ctx: Ctx = { signal: new AbortController().signal, log, operationId: 'test' };

const pools = new Set<string>();

testPlacements({
  label: 'default IPAM',
  plugin: 'ipam/default',
  kind: 'ipam',
  driver: 'default',
  cases: ipamCases,
  // Private IPv6 pools are drawn by lot.
  answers: { varying: [/\bfd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}\b/g] },
  async clean(driver) {
    for (const poolId of pools) await driver.releasePool({ poolId }, ctx);
    pools.clear();
  },
  async run({ run }, { driver, restart }) {
    const noting = (given: IpamDriver): IpamDriver => ({
      requestPool: async (asked, call) => {
        const pool = await given.requestPool(asked, call);
        pools.add(pool.poolId);
        return pool;
      },
      releasePool: (asked, call) => given.releasePool(asked, call),
      requestAddress: (asked, call) => given.requestAddress(asked, call),
      releaseAddress: (asked, call) => given.releaseAddress(asked, call),
    });
    await run({ driver: noting(driver), ctx, restart: async () => noting(await restart()) });
  },
});

test('the default IPAM driver hands out the lowest pool and the lowest address, the gateway first', async () => {
  await using books = await openBooks();
  const driver = await books.open();
  const pool = await driver.requestPool({ ...request, exclude: ['172.17.0.0/24'] }, ctx);
  assert.equal(pool.cidr, '172.18.0.0/16');
  const take = async (owner: string, gateway = false) =>
    (await driver.requestAddress({ poolId: pool.poolId, owner, preferred: '', gateway }, ctx)).address;
  assert.deepEqual([await take('g', true), await take('a'), await take('b')], ['172.18.0.1/16', '172.18.0.2/16', '172.18.0.3/16']);
  await driver.releaseAddress({ poolId: pool.poolId, owner: 'a' }, ctx);
  assert.equal(await take('c'), '172.18.0.2/16');
  assert.equal(await take('d'), '172.18.0.4/16');
});

test('the default IPAM driver has 31 pools by default and says when they are used up', async () => {
  await using books = await openBooks();
  const driver = await books.open();
  const cidrs: string[] = [];
  for (let index = 0; index < 31; index += 1) cidrs.push((await driver.requestPool({ ...request, requestId: `n${index}` }, ctx)).cidr);
  assert.deepEqual([cidrs[0], cidrs[14], cidrs[15], cidrs[30]], ['172.17.0.0/16', '172.31.0.0/16', '192.168.0.0/20', '192.168.240.0/20']);
  await assert.rejects(driver.requestPool({ ...request, requestId: 'last' }, ctx), { code: 'exhausted', message: /fully subnetted/ });
});

test('the default IPAM driver refuses default pools that make no sense, naming them', async () => {
  await using books = await openBooks({ defaultAddressPools: [{ base: '10.0.0.0/16', size: 8 }] });
  await assert.rejects(books.open(), { code: 'invalid_argument', message: /10\.0\.0\.0\/16 cannot be cut into pieces of \/8/ });
});

async function openBooks(config: HostContext['config'] = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-ipam-'));
  const database = new Database(join(folder, 'metadata.db'));
  const host = hostContext({ name: 'gantry.ipam.default', config, dataDir: folder, database, log });
  return {
    open: async (): Promise<IpamDriver> => (await plugin.activate(host)).drivers.ipam?.['default'] ?? assert.fail('no driver'),
    [Symbol.asyncDispose]: async () => {
      database[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  };
}
