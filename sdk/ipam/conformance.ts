import assert from 'node:assert/strict';
import { contains, parseAddress, parseCidr } from '../network/addresses.ts';
import type { Ctx } from '../types/index.ts';
import type { IpamDriver, PoolRequest } from './contract.ts';

/** A driver under test. `restart` ends it and opens it again on the same durable state. */
export interface IpamUnderTest {
  readonly driver: IpamDriver;
  readonly ctx: Ctx;
  readonly restart: () => Promise<IpamDriver>;
}
export interface IpamCase {
  readonly name: string;
  readonly run: (subject: IpamUnderTest) => Promise<void>;
}

/** What every IPAM driver must do, by named case; each case wants a driver with empty books. */
export const ipamCases: readonly IpamCase[] = Object.entries({
  'pool.request': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4(), ctx);
    assert.ok(parseCidr(pool.cidr), `${pool.cidr} is no prefix`);
    assert.notEqual(pool.poolId, '');
  },
  'pool.explicit-cidr': async ({ driver, ctx }) => {
    assert.equal((await driver.requestPool(pool4({ cidr: '10.66.0.0/24' }), ctx)).cidr, '10.66.0.0/24');
  },
  'pool.overlap': async ({ driver, ctx }) => {
    await driver.requestPool(pool4({ cidr: '10.66.0.0/24' }), ctx);
    await refuses('forbidden', driver.requestPool(pool4({ requestId: 'b', cidr: '10.66.0.0/16' }), ctx));
  },
  'pool.bad-cidr': async ({ driver, ctx }) => {
    for (const cidr of ['junk', '10.0.0.0', '10.0.0.0/33', '300.0.0.0/8', '10.0.0.0/-1', 'fd00::/129'])
      await refuses('invalid_argument', driver.requestPool(pool4({ cidr }), ctx));
  },
  'pool.conflict': async ({ driver, ctx }) => {
    await driver.requestPool(pool4({ cidr: '10.66.0.0/24' }), ctx);
    await refuses('already_exists', driver.requestPool(pool4({ cidr: '10.67.0.0/24' }), ctx));
  },
  'pool.exclude-overlap': async ({ driver, ctx }) => {
    const first = await driver.requestPool(pool4(), ctx);
    await driver.releasePool(first, ctx);
    const second = await driver.requestPool(pool4({ requestId: 'b', exclude: [first.cidr] }), ctx);
    assert.notEqual(second.cidr, first.cidr);
  },
  'pool.idempotent-request-id': async ({ driver, ctx }) => {
    assert.deepEqual(await driver.requestPool(pool4(), ctx), await driver.requestPool(pool4(), ctx));
  },
  'pool.two-differ': async ({ driver, ctx }) => {
    const [one, other] = [await driver.requestPool(pool4(), ctx), await driver.requestPool(pool4({ requestId: 'b' }), ctx)];
    assert.notEqual(one.cidr, other.cidr);
  },
  'pool.release': async ({ driver, ctx }) => {
    const request = pool4({ cidr: '10.66.0.0/24' });
    await driver.releasePool(await driver.requestPool(request, ctx), ctx);
    await driver.requestPool({ ...request, requestId: 'b' }, ctx);
  },
  'pool.release-forgets-addresses': async ({ driver, ctx }) => {
    const request = pool4({ cidr: '10.66.0.0/30' });
    const pool = await driver.requestPool(request, ctx);
    await driver.requestAddress(address(pool.poolId, 'o1', { preferred: '10.66.0.1' }), ctx);
    await driver.releasePool(pool, ctx);
    const again = await driver.requestPool(request, ctx);
    await driver.requestAddress(address(again.poolId, 'o2', { preferred: '10.66.0.1' }), ctx);
  },
  'pool.release-twice': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4(), ctx);
    await driver.releasePool(pool, ctx);
    await driver.releasePool(pool, ctx);
  },
  'pool.release-late-frees-nothing-else': async ({ driver, ctx }) => {
    const request = pool4({ cidr: '10.66.0.0/24' });
    const pool = await driver.requestPool(request, ctx);
    await driver.releasePool(pool, ctx);
    const next = await driver.requestPool({ ...request, requestId: 'b' }, ctx);
    await driver.requestAddress(address(next.poolId, 'o', { preferred: '10.66.0.9' }), ctx);
    await driver.releasePool(pool, ctx);
    await refuses('already_exists', driver.requestAddress(address(next.poolId, 'other', { preferred: '10.66.0.9' }), ctx));
  },
  'pool.v6': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4({ ipv6: true }), ctx);
    assert.equal(parseCidr(pool.cidr)?.family, 6);
    const { address: given } = await driver.requestAddress(address(pool.poolId, 'o'), ctx);
    assert.equal(parseCidr(given)?.family, 6);
  },
  'pool.range': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4({ cidr: '10.66.0.0/24', range: '10.66.0.128/25' }), ctx);
    const { address: given } = await driver.requestAddress(address(pool.poolId, 'o'), ctx);
    inside('10.66.0.128/25', given);
    await driver.requestAddress(address(pool.poolId, 'fixed', { preferred: '10.66.0.9' }), ctx);
  },
  'addr.unique-1000': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4({ cidr: '10.66.0.0/16' }), ctx);
    const given = new Set<string>();
    for (let index = 0; index < 1_000; index += 1) given.add((await driver.requestAddress(address(pool.poolId, `o${index}`), ctx)).address);
    assert.equal(given.size, 1_000);
    for (const one of given) inside('10.66.0.0/16', one);
  },
  'addr.preferred': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4({ cidr: '10.66.0.0/24' }), ctx);
    const { address: given } = await driver.requestAddress(address(pool.poolId, 'o', { preferred: '10.66.0.77' }), ctx);
    assert.equal(given, '10.66.0.77/24');
  },
  'addr.other-preferred': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4({ cidr: '10.66.0.0/24' }), ctx);
    await driver.requestAddress(address(pool.poolId, 'o', { preferred: '10.66.0.77' }), ctx);
    await refuses('already_exists', driver.requestAddress(address(pool.poolId, 'o', { preferred: '10.66.0.78' }), ctx));
  },
  'addr.preferred-taken': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4({ cidr: '10.66.0.0/24' }), ctx);
    await driver.requestAddress(address(pool.poolId, 'o1', { preferred: '10.66.0.77' }), ctx);
    await refuses('already_exists', driver.requestAddress(address(pool.poolId, 'o2', { preferred: '10.66.0.77' }), ctx));
  },
  'addr.gateway': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4({ cidr: '10.66.0.0/24' }), ctx);
    const gateway = await driver.requestAddress(address(pool.poolId, 'gateway', { gateway: true }), ctx);
    const other = await driver.requestAddress(address(pool.poolId, 'o'), ctx);
    assert.notEqual(gateway.address, other.address);
  },
  'addr.same-owner-same-address': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4(), ctx);
    const request = address(pool.poolId, 'o');
    assert.deepEqual(await driver.requestAddress(request, ctx), await driver.requestAddress(request, ctx));
  },
  'addr.release-reuse': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4({ cidr: '10.66.0.0/30' }), ctx);
    for (let round = 0; round < 5; round += 1) {
      await driver.requestAddress(address(pool.poolId, 'o'), ctx);
      await driver.releaseAddress({ poolId: pool.poolId, owner: 'o' }, ctx);
      await driver.releaseAddress({ poolId: pool.poolId, owner: 'o' }, ctx);
    }
  },
  'addr.exhausted': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4({ cidr: '10.66.0.0/30' }), ctx);
    for (const owner of ['o1', 'o2']) await driver.requestAddress(address(pool.poolId, owner), ctx);
    await refuses('exhausted', driver.requestAddress(address(pool.poolId, 'o3'), ctx));
  },
  'addr.outside-pool': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4({ cidr: '10.66.0.0/24' }), ctx);
    for (const preferred of ['10.67.0.1', '10.66.0.0', '10.66.0.255', 'fd00::1', 'junk']) {
      await refuses('invalid_argument', driver.requestAddress(address(pool.poolId, 'o', { preferred }), ctx));
    }
  },
  'addr.unknown-pool': async ({ driver, ctx }) => {
    await refuses('not_found', driver.requestAddress(address('nowhere', 'o'), ctx));
    await driver.releaseAddress({ poolId: 'nowhere', owner: 'o' }, ctx);
  },
  'restart.allocations-kept': async (subject) => {
    const pool = await subject.driver.requestPool(pool4(), subject.ctx);
    const held = await subject.driver.requestAddress(address(pool.poolId, 'o'), subject.ctx);
    const driver = await subject.restart();
    assert.deepEqual(await driver.requestPool(pool4(), subject.ctx), pool);
    assert.notDeepEqual(await driver.requestAddress(address(pool.poolId, 'other'), subject.ctx), held);
    assert.deepEqual(await driver.requestAddress(address(pool.poolId, 'o'), subject.ctx), held);
  },
  'parallel.no-duplicates': async ({ driver, ctx }) => {
    const pool = await driver.requestPool(pool4(), ctx);
    const owners = Array.from({ length: 64 }, (_, index) => `o${index}`);
    const given = await Promise.all(owners.map((owner) => driver.requestAddress(address(pool.poolId, owner), ctx)));
    assert.equal(new Set(given.map((answer) => answer.address)).size, owners.length);
  },
} satisfies Record<string, IpamCase['run']>).map(([name, run]) => ({ name, run }));

function pool4(changes: Partial<PoolRequest> = {}): PoolRequest {
  return { requestId: 'a', cidr: '', range: '', ipv6: false, exclude: [], options: {}, ...changes };
}

function address(poolId: string, owner: string, changes: { readonly preferred?: string; readonly gateway?: boolean } = {}) {
  return { poolId, owner, preferred: '', gateway: false, ...changes };
}

function inside(cidr: string, given: string): void {
  const [outer, inner] = [parseCidr(cidr), parseAddress(given.split('/')[0] ?? '')];
  assert.ok(outer !== undefined && inner !== undefined && contains(outer, inner), `${given} is not in ${cidr}`);
}

async function refuses(code: string, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error: Error & { readonly code?: string }) => {
    assert.equal(error.code, code, error.message);
    return true;
  });
}
