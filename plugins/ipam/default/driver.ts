import { alreadyExists, exhausted, forbidden, invalidArgument, notFound, type StateStore } from '@gantry/sdk';
import type { AddressAnswer, AddressRequest, IpamDriver, Pool, PoolRequest } from '@gantry/sdk/ipam';
import { type Cidr, contains, formatAddress, formatCidr, networkOf, overlaps, parseAddress, parseCidr } from '@gantry/sdk/network';
import { randomBytes } from 'node:crypto';
import { type Block, firstFree } from './blocks.ts';
import { AddressPool } from './pool.ts';

/**
 * Lowest free address first. A pool is one durable value, an address one small value that a power cut may take: it belongs to a running
 * container, which the power cut takes too. Everything is answered from memory; each call is one synchronous stretch, so none interleave.
 */
export class DefaultIpam implements IpamDriver {
  readonly #state: StateStore;
  readonly #blocks: readonly Block[];
  readonly #pools = new Map<string, AddressPool>();

  constructor({ state, blocks }: { readonly state: StateStore; readonly blocks: readonly Block[] }) {
    this.#state = state;
    this.#blocks = blocks;
    for (const { key, value } of state.list('pool/')) this.#restore(key.slice('pool/'.length), value);
  }

  async requestPool(request: PoolRequest): Promise<Pool> {
    const wished = request.cidr === '' ? undefined : prefix('subnet', request.cidr);
    const range = request.range === '' ? undefined : prefix('range', request.range);
    const held = this.#poolOf(request.requestId);
    if (held !== undefined) return sameAs(held, wished, range);
    const family = request.ipv6 ? 6 : 4;
    if (wished !== undefined && wished.family !== family) throw invalidArgument(`subnet ${request.cidr} is not IPv${family}`);
    const subnet = wished ?? this.#choose(request.exclude, family);
    if (range !== undefined && !contains(subnet, range)) {
      throw invalidArgument(`range ${request.range} is not in subnet ${formatCidr(subnet)}`);
    }
    if (this.#isTaken(subnet)) throw forbidden('Pool overlaps with other one on this address space');
    const pool = new AddressPool({ requestId: request.requestId, subnet, range });
    const poolId = formatCidr(subnet);
    const value = JSON.stringify({ requestId: request.requestId, range: range === undefined ? '' : formatCidr(range) });
    this.#state.put([{ key: `pool/${poolId}`, value }]);
    this.#pools.set(poolId, pool);
    return { poolId, cidr: poolId };
  }

  async releasePool({ poolId }: { readonly poolId: string }): Promise<void> {
    const keys = [`pool/${poolId}`, ...this.#state.list(`address/${poolId}/`).map(({ key }) => key)];
    if (this.#pools.has(poolId)) this.#state.put(keys.map((key) => ({ key, value: undefined })));
    this.#pools.delete(poolId);
  }

  async requestAddress({ poolId, owner, preferred, gateway }: AddressRequest): Promise<AddressAnswer> {
    const pool = this.#pools.get(poolId);
    if (pool === undefined) throw notFound(`no pool ${poolId}`);
    const wished = preferred === '' ? undefined : parseAddress(preferred);
    if (preferred !== '' && wished === undefined) throw invalidArgument(`${preferred} is no IP address`);
    const { address, isNew } = pool.take(owner, wished, gateway);
    const text = formatAddress(address);
    if (isNew) {
      try {
        this.#state.put([{ key: `address/${poolId}/${owner}`, value: text }], { relaxed: true });
      } catch (error) {
        pool.release(owner);
        throw error;
      }
    }
    return { address: `${text}/${pool.subnet.length}` };
  }

  async releaseAddress({ poolId, owner }: { readonly poolId: string; readonly owner: string }): Promise<void> {
    if (!this.#pools.get(poolId)?.release(owner)) return;
    this.#state.put([{ key: `address/${poolId}/${owner}`, value: undefined }], { relaxed: true });
  }

  #restore(poolId: string, document: string): void {
    const { requestId, range }: { readonly requestId: string; readonly range: string } = JSON.parse(document);
    const pool = new AddressPool({ requestId, subnet: prefix('subnet', poolId), range: range === '' ? undefined : prefix('range', range) });
    const addresses = `address/${poolId}/`;
    for (const { key, value } of this.#state.list(addresses)) {
      const address = parseAddress(value);
      if (address !== undefined) pool.restore(key.slice(addresses.length), address.value);
    }
    this.#pools.set(poolId, pool);
  }

  #poolOf(requestId: string): AddressPool | undefined {
    return [...this.#pools.values()].find((pool) => pool.requestId === requestId);
  }

  #isTaken(subnet: Cidr): boolean {
    return [...this.#pools.values()].some((pool) => overlaps(pool.subnet, subnet));
  }

  #choose(exclude: readonly string[], family: 4 | 6): Cidr {
    const taken = [...exclude.map((text) => prefix('excluded prefix', text)), ...[...this.#pools.values()].map(({ subnet }) => subnet)];
    const chosen = firstFree(family === 4 ? this.#blocks : [...this.#blocks, this.#uniqueLocal()], taken, family);
    if (chosen === undefined) {
      throw exhausted('all predefined address pools have been fully subnetted', {
        hint: 'give a subnet, or remove networks that nobody uses',
      });
    }
    return chosen;
  }

  /** fd00::/8 networks of /48 with 40 random bits that are drawn once per machine (RFC 4193), cut into /64. */
  #uniqueLocal(): Block {
    let bits = this.#state.get('unique-local')?.value;
    if (bits === undefined) {
      bits = randomBytes(5).toString('hex');
      this.#state.put([{ key: 'unique-local', value: bits }]);
    }
    return { base: { family: 6, value: BigInt(`0xfd${bits}`) << 80n, length: 48 }, size: 64 };
  }
}

function prefix(what: string, text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw invalidArgument(`${what} ${text} is no prefix such as 10.10.0.0/16`);
  return networkOf(cidr);
}

function sameAs(pool: AddressPool, wished: Cidr | undefined, range: Cidr | undefined): Pool {
  const poolId = formatCidr(pool.subnet);
  const isOther =
    (wished !== undefined && formatCidr(wished) !== poolId) || (range !== undefined && formatCidr(range) !== formatCidr(pool.range));
  if (isOther) throw alreadyExists(`request ${pool.requestId} has pool ${poolId} already`);
  return { poolId, cidr: poolId };
}
