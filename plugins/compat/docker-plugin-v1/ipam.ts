import { createHash } from 'node:crypto';
import { alreadyExists, codeOf, type Ctx, internal, invalidArgument, notFound, type StateStore } from '@gantry/sdk';
import type { AddressAnswer, AddressRequest, IpamDriver, Pool, PoolRequest } from '@gantry/sdk/ipam';
import { contains, parseAddress, parseCidr } from '@gantry/sdk/network';
import { textOf } from './answer.ts';
import type { Connection } from './connection.ts';
import { UnansweredPools } from './unanswered-pools.ts';

/** Giving back what cannot be used does not wait for the caller. */
const undoMs = 5_000;

interface KeptPool extends Pool {
  readonly requestId: string;
  readonly asked: string;
}
interface KeptAddress {
  readonly address: string;
}

/**
 * `IpamDriver.*` of Docker's plugins. Their protocol knows no request ids and no owners: the adapter keeps who has what, so that a
 * repeated request is none, a pool's addresses are given back before the pool, and a pool whose answer was lost is given back where the plugin can be asked for it again.
 */
export class DockerIpamDriver implements IpamDriver {
  readonly #plugin: Connection;
  readonly #state: StateStore;
  readonly #prefix: string;
  readonly #unanswered: UnansweredPools;
  #space: string | undefined;

  constructor(plugin: Connection, state: StateStore) {
    this.#plugin = plugin;
    this.#state = state;
    this.#prefix = `ipam/${digest(plugin.name)}`;
    this.#unanswered = new UnansweredPools({
      plugin,
      state,
      prefix: `${this.#prefix}/asked/`,
      isKept: async (poolId) => (await this.#read(this.#poolKey(poolId))) !== undefined,
    });
  }

  async requestPool(request: PoolRequest, ctx: Ctx): Promise<Pool> {
    const { signal } = ctx;
    const { requestId, cidr, range, ipv6, exclude, options } = request;
    if (cidr !== '' && parseCidr(cidr) === undefined) throw invalidArgument(`pool ${JSON.stringify(cidr)} is no prefix`);
    const key = `${this.#prefix}/request/${digest(requestId)}`;
    const asked = digest(JSON.stringify([cidr, range, ipv6, options]));
    const known = await this.#read<KeptPool>(key);
    if (known !== undefined) {
      if (known.asked !== asked) throw alreadyExists(`pool request ${requestId} was made with other facts`);
      return { poolId: known.poolId, cidr: known.cidr };
    }
    await this.#unanswered.settle(ctx);
    const body = {
      AddressSpace: await this.#addressSpace(signal),
      Pool: cidr,
      SubPool: range,
      Options: options,
      V6: ipv6,
      Exclude: exclude,
    };
    const { answer, answered } = await this.#unanswered.ask(digest(requestId), body, signal);
    const pool = { poolId: textOf(answer, 'PoolID'), cidr: textOf(answer, 'Pool') };
    try {
      this.#check(pool, request);
    } catch (error) {
      await this.#plugin.call('IpamDriver.ReleasePool', { PoolID: pool.poolId }, AbortSignal.timeout(undoMs)).catch(() => {});
      await this.#state.put([answered]);
      throw error;
    }
    await this.#state.put([
      answered,
      { key, value: JSON.stringify({ ...pool, requestId, asked } satisfies KeptPool) },
      { key: this.#poolKey(pool.poolId), value: JSON.stringify({ ...pool, requestId, asked } satisfies KeptPool) },
    ]);
    return pool;
  }

  async releasePool({ poolId }: { readonly poolId: string }, { signal }: Ctx): Promise<void> {
    const kept = await this.#read<KeptPool>(this.#poolKey(poolId));
    if (kept === undefined) return;
    const addresses = await this.#state.list(`${this.#addressPrefix(poolId)}/`);
    for (const { key, value } of addresses) await this.#release(poolId, key, JSON.parse(value) as KeptAddress, signal);
    await this.#unlessGone('IpamDriver.ReleasePool', { PoolID: poolId }, signal);
    const keys = [this.#poolKey(poolId), `${this.#prefix}/request/${digest(kept.requestId)}`];
    await this.#state.put(keys.map((key) => ({ key, value: undefined })));
  }

  async requestAddress({ poolId, owner, preferred, gateway }: AddressRequest, { signal }: Ctx): Promise<AddressAnswer> {
    const pool = await this.#read<KeptPool>(this.#poolKey(poolId));
    if (pool === undefined) throw notFound(`pool ${poolId} not found`);
    const key = this.#addressKey(poolId, owner);
    const known = await this.#read<KeptAddress>(key);
    if (known !== undefined) {
      const other = preferred !== '' && parseAddress(preferred)?.value !== parseCidr(known.address)?.value;
      if (other) throw alreadyExists(`${owner} has ${known.address} already`);
      return known;
    }
    checkPreferred(preferred, pool.cidr);
    const options = gateway ? { RequestAddressType: 'com.docker.network.gateway' } : {};
    const answer = await this.#plugin.call('IpamDriver.RequestAddress', { PoolID: poolId, Address: preferred, Options: options }, signal);
    const address = textOf(answer, 'Address');
    const [given, outer] = [parseCidr(address), parseCidr(pool.cidr)];
    if (given === undefined || outer === undefined || !contains(outer, given)) {
      await this.#plugin
        .call('IpamDriver.ReleaseAddress', { PoolID: poolId, Address: address }, AbortSignal.timeout(undoMs))
        .catch(() => {});
      throw internal(
        `plugin ${this.#plugin.name} answered address ${JSON.stringify(address)}, which is not one of ${pool.cidr} with its prefix`,
      );
    }
    await this.#state.put([{ key, value: JSON.stringify({ address } satisfies KeptAddress) }]);
    return { address };
  }

  async releaseAddress({ poolId, owner }: { readonly poolId: string; readonly owner: string }, { signal }: Ctx): Promise<void> {
    const key = this.#addressKey(poolId, owner);
    const known = await this.#read<KeptAddress>(key);
    if (known !== undefined) await this.#release(poolId, key, known, signal);
  }

  async #release(poolId: string, key: string, { address }: KeptAddress, signal: AbortSignal): Promise<void> {
    await this.#unlessGone('IpamDriver.ReleaseAddress', { PoolID: poolId, Address: address.replace(/\/.*$/, '') }, signal);
    await this.#state.put([{ key, value: undefined }]);
  }

  /** Docker keeps what is on one machine in the plugin's "local" space. */
  async #addressSpace(signal: AbortSignal): Promise<string> {
    this.#space ??= textOf(await this.#plugin.call('IpamDriver.GetDefaultAddressSpaces', {}, signal), 'LocalDefaultAddressSpace');
    return this.#space;
  }

  #check({ poolId, cidr }: Pool, { cidr: wished, exclude, ipv6 }: PoolRequest): void {
    const pool = parseCidr(cidr);
    const fail = (why: string) => internal(`plugin ${this.#plugin.name} answered pool ${JSON.stringify(cidr)}, ${why}`);
    if (poolId === '') throw fail('without an id');
    if (pool === undefined || (pool.family === 6) !== ipv6) throw fail(`which is no IPv${ipv6 ? 6 : 4} prefix`);
    if (wished !== '') return;
    const taken = exclude.find((each) => overlaps(each, cidr));
    if (taken !== undefined) throw fail(`although ${taken} is in use`);
  }

  async #unlessGone(method: string, body: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<void> {
    try {
      await this.#plugin.call(method, body, signal);
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
    }
  }

  async #read<T>(key: string): Promise<T | undefined> {
    const entry = await this.#state.get(key);
    return entry === undefined ? undefined : (JSON.parse(entry.value) as T);
  }

  #poolKey(poolId: string): string {
    return `${this.#prefix}/pool/${digest(poolId)}`;
  }

  #addressPrefix(poolId: string): string {
    return `${this.#prefix}/address/${digest(poolId)}`;
  }

  #addressKey(poolId: string, owner: string): string {
    return `${this.#addressPrefix(poolId)}/${digest(owner)}`;
  }
}

function overlaps(one: string, other: string): boolean {
  const [a, b] = [parseCidr(one), parseCidr(other)];
  return a !== undefined && b !== undefined && (contains(a, b) || contains(b, a));
}

function checkPreferred(preferred: string, cidr: string): void {
  if (preferred === '') return;
  const [address, pool] = [parseAddress(preferred), parseCidr(cidr)];
  if (address === undefined || pool === undefined || !contains(pool, address)) {
    throw invalidArgument(`address ${JSON.stringify(preferred)} is not in pool ${cidr}`);
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 40);
}
