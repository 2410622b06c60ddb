import type { AddressAnswer, Pool } from '@gantry/sdk/ipam';
import { type Cidr, contains, formatCidr, networkOf, parseCidr } from '@gantry/sdk/network';
import type { Grants } from '../../drivers/types.ts';
import { blaming, invalidPlan } from '../../execute/index.ts';

type Blame = Pick<Grants, 'plugin' | 'onViolation'>;

/** What a pool must be, whoever manages it: a subnet of the wished family, the wished one if one was. Throws `internal`, which counts against the plugin. */
export function checkPool({ poolId, cidr }: Pool, wished: { readonly family: 4 | 6; readonly cidr: string }, grants: Blame): Cidr {
  return blaming(grants, () => {
    const refuse = (problem: string): never => {
      throw invalidPlan(grants.plugin, 'requestPool', problem);
    };
    const pool = parseCidr(cidr) ?? refuse(`${JSON.stringify(cidr)} is no prefix`);
    if (poolId === '' || poolId.length > 1_024) refuse(`a pool's id of ${poolId.length} characters`);
    if (formatCidr(networkOf(pool)) !== formatCidr(pool)) refuse(`${cidr} has bits set behind its prefix`);
    if (pool.family !== wished.family) refuse(`${cidr} is not IPv${wished.family}`);
    const asked = parseCidr(wished.cidr);
    if (asked !== undefined && formatCidr(networkOf(asked)) !== formatCidr(pool)) refuse(`${cidr} for the wished ${wished.cidr}`);
    return pool;
  });
}

/** An address with prefix length, in its pool. */
export function checkAddress({ address }: AddressAnswer, pool: string, grants: Blame): string {
  return blaming(grants, () => {
    const [given, subnet] = [parseCidr(address), parseCidr(pool)];
    if (given === undefined)
      throw invalidPlan(grants.plugin, 'requestAddress', `${JSON.stringify(address)} is no address with prefix length`);
    if (subnet !== undefined && !contains(subnet, { family: given.family, value: given.value }))
      throw invalidPlan(grants.plugin, 'requestAddress', `${address} is not in pool ${pool}`);
    return address;
  });
}
