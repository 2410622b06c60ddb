import { alreadyExists, exhausted, forbidden } from '@gantry/sdk';
import { ipam, Records } from '@gantry/sdk/author';

/** Pools 10.201.0.0/24 and on, and the addresses of each from its first. */
export const addresses = ipam({
  name: 'every',
  async requestPool({ cidr, requestId }, { state }) {
    const pools = new Records<string>(state, 'every/');
    const taken = (await pools.list()).map(({ value }) => value);
    if (cidr !== '' && taken.includes(cidr)) throw forbidden(`pool ${cidr} overlaps with one that is there`);
    const chosen = cidr === '' ? Array.from({ length: 50 }, (_, at) => `10.201.${at}.0/24`).find((each) => !taken.includes(each)) : cidr;
    if (chosen === undefined) throw exhausted('no more pools');
    await pools.update(requestId, () => chosen);
    return { poolId: requestId, cidr: chosen };
  },
  releasePool: async ({ poolId }, { state }) => new Records<string>(state, 'every/').remove(poolId),
  async requestAddress({ poolId, owner, preferred }, { state }) {
    const cidr = (await new Records<string>(state, 'every/').get(poolId)) ?? '';
    const [prefix, length] = [cidr.replace(/\.\d+\/\d+$/, ''), cidr.split('/')[1] ?? ''];
    const owners = new Records<string>(state, `every-owner/${poolId}/`);
    const taken = (await owners.list()).map(({ value }) => value);
    if (taken.includes(preferred)) throw alreadyExists(`address ${preferred} is taken`);
    const free = Array.from({ length: 250 }, (_, at) => `${prefix}.${at + 1}`).find((each) => !taken.includes(each));
    const chosen = preferred === '' ? free : preferred;
    if (chosen === undefined) throw exhausted('no more addresses');
    await owners.update(owner, () => chosen);
    return { address: `${chosen}/${length}` };
  },
  releaseAddress: async ({ poolId, owner }, { state }) => new Records<string>(state, `every-owner/${poolId}/`).remove(owner),
});
