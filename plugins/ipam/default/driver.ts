import { alreadyExists, exhausted, forbidden, invalidArgument, notFound, type StateStore } from '@gantry/sdk';
import type { AddressAnswer, AddressRequest, IpamDriver, Pool, PoolRequest } from '@gantry/sdk/ipam';
import { type Cidr, contains, formatAddress, formatCidr, networkOf, overlaps, parseAddress, parseCidr } from '@gantry/sdk/network';
import { randomBytes } from 'node:crypto';
import { type Block, firstFree } from './blocks.ts';
import { AddressPool } from './pool.ts';

/**
 * Lowest free address first. A pool is one durable value, an address one small value that a power cut may take: it belongs to a running
 * container, which the power cut takes too. Everything is answered from memory; a choice and its entry in memory are one synchronous stretch, so none collide.
 */
export class DefaultIpam implements IpamDriver {
  readonly #state: StateStore;
  readonly #blocks: readonly Block[];
  readonly #pools = new Map<string, AddressPool>();

  private constructor({ state, blocks }: { readonly state: StateStore; readonly blocks: readonly Block[] }) {
    this.#state = state;
    this.#blocks = blocks;
  }

  static async open(given: { readonly state: StateStore; readonly blocks: readonly Block[] }): Promise<DefaultIpam> {
    const ipam = new DefaultIpam(given);
    for (const { key, value } of await given.state.list('pool/')) await ipam.#restore(key.slice('pool/'.length), value);
    return ipam;
  }

  async requestPool(request: PoolRequest): Promise<Pool> {
    const wished = request.cidr === '' ? undefined : prefix('subnet', request.cidr);
    const range = request.range === '' ? undefined : prefix('range', request.range);
    const held = this.#poolOf(request.requestId);
    if (held !== undefined) return sameAs(held, wished, range);
    const family = request.ipv6 ? 6 : 4;
    if (wished !== undefined && wished.family !== family) throw invalidArgument(`subnet ${request.cidr} is not IPv${family}`);
    const blocks = wished !== undefined || family === 4 ? this.#blocks : [...this.#blocks, await this.#uniqueLocal()];
    const subnet = wished ?? this.#choose(blocks, request.exclude, family);
    if (range !== undefined && !contains(subnet, range)) {
      throw invalidArgument(`range ${request.range} is not in subnet ${formatCidr(subnet)}`);
    }
    if (this.#isTaken(subnet)) throw forbidden('Pool overlaps with other one on this address space');
    const pool = new AddressPool({ requestId: request.requestId, subnet, range });
    const poolId = formatCidr(subnet);
    const value = JSON.stringify({ requestId: request.requestId, range: range === undefined ? '' : formatCidr(range) });
    this.#pools.set(poolId, pool);
    await this.#unlessStored(() => this.#pools.delete(poolId), [{ key: `pool/${poolId}`, value }]);
    return { poolId, cidr: poolId };
  }

  async releasePool({ poolId }: { readonly poolId: string }): Promise<void> {
    if (!this.#pools.has(poolId)) return;
    const addresses = await this.#state.list(`address/${poolId}/`);
    await this.#state.put([`pool/${poolId}`, ...addresses.map(({ key }) => key)].map((key) => ({ key, value: undefined })));
    this.#pools.delete(poolId);
  }

  async requestAddress({ poolId, owner, preferred, gateway }: AddressRequest): Promise<AddressAnswer> {
    const pool = this.#pools.get(poolId);
    if (pool === undefined) throw notFound(`no pool ${poolId}`);
    const wished = preferred === '' ? undefined : parseAddress(preferred);
    if (preferred !== '' && wished === undefined) throw invalidArgument(`${preferred} is no IP address`);
    const { address, isNew } = pool.take(owner, wished, gateway);
    const text = formatAddress(address);
    if (isNew) await this.#unlessStored(() => pool.release(owner), [{ key: `address/${poolId}/${owner}`, value: text }], { relaxed: true });
    return { address: `${text}/${pool.subnet.length}` };
  }

  async releaseAddress({ poolId, owner }: { readonly poolId: string; readonly owner: string }): Promise<void> {
    if (!this.#pools.get(poolId)?.release(owner)) return;
    await this.#state.put([{ key: `address/${poolId}/${owner}`, value: undefined }], { relaxed: true });
  }

  /** What was taken in memory is given back when it could not be stored. */
  async #unlessStored(undo: () => void, ...given: Parameters<StateStore['put']>): Promise<void> {
    try {
      await this.#state.put(...given);
    } catch (error) {
      undo();
      throw error;
    }
  }

  async #restore(poolId: string, document: string): Promise<void> {
    const { requestId, range }: { readonly requestId: string; readonly range: string } = JSON.parse(document);
    const pool = new AddressPool({ requestId, subnet: prefix('subnet', poolId), range: range === '' ? undefined : prefix('range', range) });
    const addresses = `address/${poolId}/`;
    for (const { key, value } of await this.#state.list(addresses)) {
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

  #choose(blocks: readonly Block[], exclude: readonly string[], family: 4 | 6): Cidr {
    const taken = [...exclude.map((text) => prefix('excluded prefix', text)), ...[...this.#pools.values()].map(({ subnet }) => subnet)];
    const chosen = firstFree(blocks, taken, family);
    if (chosen === undefined) {
      throw exhausted('all predefined address pools have been fully subnetted', {
        hint: 'give a subnet, or remove networks that nobody uses',
      });
    }
    return chosen;
  }

  /** fd00::/8 networks of /48 with 40 random bits that are drawn once per machine (RFC 4193), cut into /64. */
  async #uniqueLocal(): Promise<Block> {
    let bits = (await this.#state.get('unique-local'))?.value;
    if (bits === undefined) {
      bits = randomBytes(5).toString('hex');
      await this.#state.put([{ key: 'unique-local', value: bits }]);
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
