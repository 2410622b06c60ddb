import { contains, firstOf, formatAddress, lastOf, parseAddress, parseCidr } from '@gantry/sdk/network';
import { type DockerMethod, Refusal } from './docker-plugin.ts';

interface Pool {
  readonly cidr: string;
  readonly range: string;
  readonly taken: Set<string>;
}

/** A whole IPAM plugin as people write them for Docker. `givesAgain`: who asks for a prefix that is given away already gets that pool, as of many. */
export class DockerIpamPlugin {
  readonly #pools = new Map<string, Pool>();
  readonly #givesAgain: boolean;
  #count = 0;

  constructor({ givesAgain = false }: { readonly givesAgain?: boolean } = {}) {
    this.#givesAgain = givesAgain;
  }

  /** The prefixes that are given away. */
  get given(): readonly string[] {
    return [...this.#pools.values()].map(({ cidr }) => cidr);
  }

  readonly methods: Readonly<Record<string, DockerMethod>> = {
    'IpamDriver.GetCapabilities': () => ({ RequiresMACAddress: false }),
    'IpamDriver.GetDefaultAddressSpaces': () => ({ LocalDefaultAddressSpace: 'here', GlobalDefaultAddressSpace: 'there' }),
    'IpamDriver.RequestPool': (body) => this.#requestPool(body),
    'IpamDriver.ReleasePool': ({ PoolID }) => {
      if (!this.#pools.delete(String(PoolID))) throw new Refusal(`no such pool ${String(PoolID)}`);
      return {};
    },
    'IpamDriver.RequestAddress': (body) => this.#requestAddress(body),
    'IpamDriver.ReleaseAddress': ({ PoolID, Address }) => {
      this.#pool(String(PoolID)).taken.delete(String(Address));
      return {};
    },
  };

  #requestPool({ AddressSpace, Pool: wished, SubPool, V6, Exclude }: Readonly<Record<string, unknown>>): object {
    if (AddressSpace !== 'here') throw new Refusal(`unknown address space ${String(AddressSpace)}`);
    const exclude = [...((Exclude ?? []) as readonly string[]), ...[...this.#pools.values()].map(({ cidr }) => cidr)];
    const offered = Array.from({ length: 200 }, (_, index) => (V6 === true ? `fd00:${index + 1}::/64` : `10.${index + 1}.0.0/24`));
    const cidr = String(wished) || offered.find((each) => !exclude.some((other) => overlaps(each, other)));
    if (cidr === undefined) throw new Refusal('no free pool is left');
    const again = [...this.#pools].find(([, pool]) => pool.cidr === cidr)?.[0];
    if (this.#givesAgain && again !== undefined) return { PoolID: again, Pool: cidr, Data: {} };
    if (wished !== '' && [...this.#pools.values()].some((pool) => overlaps(pool.cidr, cidr)))
      throw new Refusal(`${cidr} overlaps another pool`);
    const poolId = `pool${(this.#count += 1)}`;
    this.#pools.set(poolId, { cidr, range: String(SubPool), taken: new Set() });
    return { PoolID: poolId, Pool: cidr, Data: {} };
  }

  #requestAddress({ PoolID, Address }: Readonly<Record<string, unknown>>): object {
    const { cidr, range, taken } = this.#pool(String(PoolID));
    const address = String(Address) || free(range || cidr, cidr, taken);
    if (address === undefined) throw new Refusal(`no available IP address in ${cidr}`);
    const value = parseAddress(address)?.value;
    const outer = parseCidr(cidr);
    if (outer === undefined || value === firstOf(outer) || value === lastOf(outer)) throw new Refusal(`address ${address} is out of range`);
    if (taken.has(address)) throw new Refusal(`address ${address} is already allocated`);
    taken.add(address);
    return { Address: `${address}${cidr.slice(cidr.indexOf('/'))}`, Data: {} };
  }

  #pool(id: string): Pool {
    const pool = this.#pools.get(id);
    if (pool === undefined) throw new Refusal(`no such pool ${id}`);
    return pool;
  }
}

function free(range: string, cidr: string, taken: ReadonlySet<string>): string | undefined {
  const [inner, outer] = [parseCidr(range), parseCidr(cidr)];
  if (inner === undefined || outer === undefined) return undefined;
  for (let value = firstOf(inner); value <= lastOf(inner); value += 1n) {
    const address = formatAddress({ family: inner.family, value });
    if (value !== firstOf(outer) && value !== lastOf(outer) && !taken.has(address)) return address;
  }
  return undefined;
}

function overlaps(one: string, other: string): boolean {
  const [a, b] = [parseCidr(one), parseCidr(other)];
  return a !== undefined && b !== undefined && (contains(a, b) || contains(b, a));
}
