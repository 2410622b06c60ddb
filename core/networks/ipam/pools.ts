import { codeOf, type Ctx, exhausted } from '@gantry/sdk';
import type { IpamConfig, IpamSubnet } from '@gantry/sdk/engine';
import type { IpamDriver } from '@gantry/sdk/ipam';
import { contains, parseAddress, parseCidr, type Subnet } from '@gantry/sdk/network';
import type { Grants } from '../../drivers/types.ts';
import { undoSignal } from '../../support/index.ts';
import { attempts } from '../attempts.ts';
import type { NetworkDocument } from '../documents.ts';
import { hostRoutes } from './host-routes.ts';
import { checkAddress, checkPool } from './ipam-check.ts';

/** A driver, and what its plugin may do. */
export interface Ipam {
  readonly driver: IpamDriver;
  readonly grants: Pick<Grants, 'plugin' | 'onViolation'>;
}
export interface PoolWishes {
  readonly networkId: string;
  readonly ipam: IpamConfig;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** Subnets of the other networks, whoever manages their addresses. */
  readonly taken: readonly string[];
}
export interface Pools {
  readonly pools: NetworkDocument['pools'];
  readonly subnets: readonly Subnet[];
}

/** One pool per wished subnet, and one for each family that has no wish, with gateway and auxiliary addresses booked. A failure gives all of them back. */
export async function requestPools({ driver, grants }: Ipam, wishes: PoolWishes, ctx: Ctx): Promise<Pools> {
  await using undo = new AsyncDisposableStack();
  const attempt = attempts(ctx.log, { network: wishes.networkId });
  const pools: NetworkDocument['pools'][number][] = [];
  const subnets: Subnet[] = [];
  const exclude = [...hostRoutes(), ...wishes.taken];
  for (const [index, wish] of allWishes(wishes).entries()) {
    const pool = await driver.requestPool(
      {
        requestId: `${wishes.networkId}/${index}`,
        cidr: wish.Subnet ?? '',
        range: wish.IPRange ?? '',
        ipv6: wish.family === 6,
        exclude,
        options: wishes.ipam.Options ?? {},
      },
      ctx,
    );
    undo.defer(() => attempt('release a pool', () => driver.releasePool(pool, { ...ctx, signal: undoSignal() })));
    checkPool(pool, { family: wish.family, cidr: wish.Subnet ?? '' }, grants);
    pools.push(pool);
    subnets.push(await bookAddresses({ driver, grants }, { ...wishes, poolId: pool.poolId, cidr: pool.cidr, wish }, ctx));
  }
  undo.move();
  return { pools, subnets };
}

export async function releasePools(driver: IpamDriver, pools: NetworkDocument['pools'], ctx: Ctx): Promise<void> {
  for (const { poolId } of pools) await driver.releasePool({ poolId }, ctx);
}

export interface AddressWish {
  readonly owner: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** For the message when nothing is left. */
  readonly networkName: string;
  readonly networkId: string;
}

/**
 * One address of each family that the network has, with prefix length: the wished one from the pool that it is in, else the first free one.
 * A failure gives all of them back.
 */
export async function requestAddresses(
  { driver, grants }: Ipam,
  pools: NetworkDocument['pools'],
  wish: AddressWish,
  ctx: Ctx,
): Promise<readonly string[]> {
  await using undo = new AsyncDisposableStack();
  const attempt = attempts(ctx.log, { network: wish.networkName, owner: wish.owner });
  const addresses: string[] = [];
  for (const family of [4, 6] as const) {
    const preferred = family === 4 ? wish.ipv4 : wish.ipv6;
    const candidates = pools.filter(({ cidr }) => mayHave(cidr, family, preferred));
    if (candidates.length === 0) continue;
    addresses.push(await firstAddress(candidates, preferred));
  }
  undo.move();
  return addresses;

  async function firstAddress(candidates: NetworkDocument['pools'], preferred: string): Promise<string> {
    let full: unknown;
    for (const { poolId, cidr } of candidates) {
      undo.defer(() =>
        attempt('release an address', () => driver.releaseAddress({ poolId, owner: wish.owner }, { ...ctx, signal: undoSignal() })),
      );
      try {
        return checkAddress(await driver.requestAddress({ poolId, owner: wish.owner, preferred, gateway: false }, ctx), cidr, grants);
      } catch (error) {
        if (codeOf(error) !== 'exhausted') throw error;
        full = error;
      }
    }
    const family = parseCidr(candidates[0]?.cidr ?? '')?.family ?? 4;
    throw exhausted(`no available IPv${family} addresses on this network's address pools: ${wish.networkName} (${wish.networkId})`, {
      cause: full,
    });
  }
}

function mayHave(cidr: string, family: 4 | 6, preferred: string): boolean {
  const [pool, address] = [parseCidr(cidr), parseAddress(preferred)];
  return pool?.family === family && (address === undefined || contains(pool, address));
}

export async function releaseAddresses(driver: IpamDriver, pools: NetworkDocument['pools'], owner: string, ctx: Ctx): Promise<void> {
  for (const { poolId } of pools) await driver.releaseAddress({ poolId, owner }, ctx);
}

/** What inspect shows: the wishes with what was chosen filled in. */
export function shownIpam({
  ipam,
  subnets,
  driver,
}: {
  readonly ipam: IpamConfig;
  readonly subnets: readonly Subnet[];
  readonly driver: string;
}): IpamConfig {
  return {
    Driver: driver,
    Options: ipam.Options ?? null,
    Config: subnets.map(({ cidr, gateway, range, aux }) => ({
      Subnet: cidr,
      ...(range === undefined ? {} : { IPRange: range }),
      ...(gateway === undefined ? {} : { Gateway: gateway }),
      ...(aux === undefined ? {} : { AuxiliaryAddresses: aux }),
    })),
  };
}

type Wish = IpamSubnet & { readonly family: 4 | 6 };

function allWishes({ ipam, ipv4, ipv6 }: PoolWishes): readonly Wish[] {
  const wishes = (ipam.Config ?? []).flatMap((subnet) => {
    const family = parseCidr(subnet.Subnet ?? '')?.family;
    return family === undefined ? [] : [{ ...subnet, family }];
  });
  const has = (family: 4 | 6) => wishes.some((wish) => wish.family === family);
  return [...(ipv4 && !has(4) ? [{ family: 4 } as const] : []), ...wishes, ...(ipv6 && !has(6) ? [{ family: 6 } as const] : [])];
}

interface Booking extends PoolWishes {
  readonly poolId: string;
  readonly cidr: string;
  readonly wish: Wish;
}

async function bookAddresses({ driver, grants }: Ipam, { networkId, poolId, cidr, wish }: Booking, ctx: Ctx): Promise<Subnet> {
  const aux = wish.AuxiliaryAddresses ?? {};
  // First, since a gateway that nobody wished for is the first address that is left.
  for (const [name, preferred] of Object.entries(aux)) {
    await driver.requestAddress({ poolId, owner: `${networkId}/aux/${name}`, preferred, gateway: false }, ctx);
  }
  const request = { poolId, owner: `${networkId}/gateway`, preferred: wish.Gateway ?? '', gateway: true };
  const gateway = checkAddress(await driver.requestAddress(request, ctx), cidr, grants);
  return {
    cidr,
    gateway: gateway.split('/')[0] ?? '',
    ...(wish.IPRange === undefined || wish.IPRange === '' ? {} : { range: wish.IPRange }),
    ...(Object.keys(aux).length === 0 ? {} : { aux }),
  };
}
