import { alreadyExists, exhausted, forbidden, invalidArgument, notFound, type StateStore } from '@gantry/sdk';
import type { AddressAnswer, AddressRequest, IpamDriver, Pool, PoolRequest } from '@gantry/sdk/ipam';
import { type Cidr, contains, formatAddress, formatCidr, networkOf, overlaps, parseAddress, parseCidr } from '@gantry/sdk/network';
import { createHash, randomBytes } from 'node:crypto';
import { type Block, firstFree } from './blocks.ts';
import { AddressPool } from './pool.ts';

/**
 * Lowest free address first. A pool is one value, an address another. A power cut may take the last of them: an address belongs to a running
 * container, which it takes too, and a pool to a network, whose own record comes after it and brings it onto the disk. Everything is answered from memory; a choice and its entry in memory are one synchronous stretch, so none collide.
 */
export class DefaultIpam implements IpamDriver {
  readonly #state: StateStore;
  readonly #blocks: readonly Block[];
  readonly #pools = new Map<string, AddressPool>();
  readonly #releasing = new Map<string, Promise<void>>();

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
    const poolId = idOf(subnet, request.requestId);
    const pool = new AddressPool({ id: poolId, requestId: request.requestId, subnet, range });
    const value = JSON.stringify({ requestId: request.requestId, range: range === undefined ? '' : formatCidr(range) });
    this.#pools.set(poolId, pool);
    await this.#releasing.get(poolId)?.catch(() => {});
    await this.#unlessStored(() => this.#pools.delete(poolId), [{ key: `pool/${poolId}`, value }], { relaxed: true });
    return poolOf(pool);
  }

  /** Asked again, because its answer got lost, it waits for the first time; by then the subnet may be another's, under another id. */
  releasePool({ poolId }: { readonly poolId: string }): Promise<void> {
    const pool = this.#pools.get(poolId);
    if (pool === undefined) return this.#releasing.get(poolId) ?? Promise.resolve();
    this.#pools.delete(poolId);
    const released = this.#forget(pool).finally(() => this.#releasing.delete(poolId));
    this.#releasing.set(poolId, released);
    return released;
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

  async #forget(pool: AddressPool): Promise<void> {
    try {
      const addresses = await this.#state.list(`address/${pool.id}/`);
      const keys = [`pool/${pool.id}`, ...addresses.map(({ key }) => key)];
      await this.#state.put(
        keys.map((key) => ({ key, value: undefined })),
        { relaxed: true },
      );
    } catch (error) {
      this.#pools.set(pool.id, pool);
      throw error;
    }
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
    const subnet = prefix('subnet', poolId.split('#')[0] ?? '');
    const pool = new AddressPool({ id: poolId, requestId, subnet, range: range === '' ? undefined : prefix('range', range) });
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

/** Another request's pool of the same subnet, after this one's, is another pool: releasing this one once more must not touch it. */
function idOf(subnet: Cidr, requestId: string): string {
  return `${formatCidr(subnet)}#${createHash('sha256').update(requestId).digest('hex').slice(0, 8)}`;
}

function poolOf({ id, subnet }: AddressPool): Pool {
  return { poolId: id, cidr: formatCidr(subnet) };
}

function sameAs(pool: AddressPool, wished: Cidr | undefined, range: Cidr | undefined): Pool {
  const cidr = formatCidr(pool.subnet);
  const isOther =
    (wished !== undefined && formatCidr(wished) !== cidr) || (range !== undefined && formatCidr(range) !== formatCidr(pool.range));
  if (isOther) throw alreadyExists(`request ${pool.requestId} has pool ${cidr} already`);
  return poolOf(pool);
}
