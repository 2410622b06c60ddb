import { alreadyExists, exhausted, forbidden, invalidArgument, notFound } from '../errors.ts';
import type { AddressAnswer, AddressRequest, IpamDriver, Pool, PoolRequest } from '../ipam/contract.ts';
import {
  bitsOf,
  type Cidr,
  contains,
  firstOf,
  formatAddress,
  formatCidr,
  lastOf,
  networkOf,
  overlaps,
  parseAddress,
  parseCidr,
} from '../network/addresses.ts';

interface Books {
  readonly requestId: string;
  readonly subnet: Cidr;
  readonly range: Cidr;
  readonly byOwner: Map<string, bigint>;
}

/** A whole IPAM driver in memory: the first pool and the first address that are free. */
export class MemoryIpamDriver implements IpamDriver {
  readonly #pools: Map<string, Books>;

  /** Over the same map it finds what another one left, as after a restart. */
  constructor(pools: Map<string, Books> = new Map()) {
    this.#pools = pools;
  }

  async requestPool({ requestId, cidr, range, ipv6, exclude }: PoolRequest): Promise<Pool> {
    const [poolId = `pool-${requestId}`, held] = [...this.#pools].find(([, books]) => books.requestId === requestId) ?? [];
    const had = held === undefined ? undefined : formatCidr(held.subnet);
    if (had !== undefined && (cidr === '' || cidr === had)) return { poolId, cidr: had };
    if (had !== undefined) throw alreadyExists(`request ${requestId} has pool ${had} already`, { reason: 'POOL_EXISTS' });
    const subnet = cidr === '' ? this.#free(ipv6, exclude) : prefix(cidr);
    if (this.#isTaken(subnet)) throw forbidden(`pool ${cidr} overlaps another`, { reason: 'POOL_OVERLAPS' });
    this.#pools.set(poolId, { requestId, subnet, range: range === '' ? subnet : prefix(range), byOwner: new Map() });
    return { poolId, cidr: formatCidr(subnet) };
  }

  async releasePool({ poolId }: { readonly poolId: string }): Promise<void> {
    this.#pools.delete(poolId);
  }

  async requestAddress({ poolId, owner, preferred }: AddressRequest): Promise<AddressAnswer> {
    const books = this.#pools.get(poolId);
    if (books === undefined) throw notFound(`no pool ${poolId}`, { reason: 'POOL_NOT_FOUND' });
    const held = books.byOwner.get(owner);
    if (held !== undefined && preferred !== '' && parseAddress(preferred)?.value !== held)
      throw alreadyExists(`${owner} has another address than ${preferred}`, { reason: 'ADDRESS_EXISTS' });
    const value = held ?? (preferred === '' ? firstFree(books) : wished(books, preferred));
    books.byOwner.set(owner, value);
    return { address: `${formatAddress({ family: books.subnet.family, value })}/${books.subnet.length}` };
  }

  async releaseAddress({ poolId, owner }: { readonly poolId: string; readonly owner: string }): Promise<void> {
    this.#pools.get(poolId)?.byOwner.delete(owner);
  }

  #free(ipv6: boolean, exclude: readonly string[]): Cidr {
    const excluded = exclude.map(prefix);
    for (let index = 0; index < 256; index += 1) {
      const candidate = prefix(ipv6 ? `fd00:0:0:${index.toString(16)}::/64` : `10.${index}.0.0/16`);
      if (!this.#isTaken(candidate) && !excluded.some((other) => overlaps(other, candidate))) return candidate;
    }
    throw exhausted('no free pool', { reason: 'POOLS_EXHAUSTED' });
  }

  #isTaken(subnet: Cidr): boolean {
    return [...this.#pools.values()].some((books) => overlaps(books.subnet, subnet));
  }
}

function firstFree({ subnet, range, byOwner }: Books): bigint {
  const taken = new Set(byOwner.values());
  for (let value = firstOf(range); value <= lastOf(range); value += 1n) if (!taken.has(value) && !isReserved(subnet, value)) return value;
  throw exhausted(`no free address in pool ${formatCidr(subnet)}`, { reason: 'ADDRESSES_EXHAUSTED' });
}

function wished({ subnet, byOwner }: Books, preferred: string): bigint {
  const address = parseAddress(preferred);
  if (address === undefined || !contains(subnet, address) || isReserved(subnet, address.value))
    throw invalidArgument(`address ${preferred} is not usable in pool ${formatCidr(subnet)}`, { reason: 'ADDRESS_OUTSIDE_POOL' });
  if ([...byOwner.values()].includes(address.value)) throw alreadyExists(`address ${preferred} is in use`, { reason: 'ADDRESS_EXISTS' });
  return address.value;
}

/** The network's own address and IPv4's broadcast; a point-to-point prefix has neither. */
function isReserved(subnet: Cidr, value: bigint): boolean {
  if (subnet.length >= bitsOf(subnet.family) - 1) return false;
  return value === firstOf(subnet) || (subnet.family === 4 && value === lastOf(subnet));
}

function prefix(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw invalidArgument(`${text} is no prefix such as 10.10.0.0/16`, { reason: 'POOL_INVALID' });
  return networkOf(cidr);
}
