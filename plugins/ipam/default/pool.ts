import { alreadyExists, exhausted, invalidArgument } from '@gantry/sdk';
import { type Address, bitsOf, type Cidr, contains, firstOf, formatAddress, formatCidr, lastOf } from '@gantry/sdk/network';

/** The books of one pool in memory: who has which address. What is durable is the driver's affair. */
export class AddressPool {
  readonly id: string;
  readonly requestId: string;
  readonly subnet: Cidr;
  readonly #range: Cidr;
  readonly #byOwner = new Map<string, bigint>();
  readonly #taken = new Set<bigint>();
  /** Below it everything in the range is taken. */
  #hint: bigint;

  constructor({ id, requestId, subnet, range }: Pick<AddressPool, 'id' | 'requestId' | 'subnet'> & { readonly range: Cidr | undefined }) {
    this.id = id;
    this.requestId = requestId;
    this.subnet = subnet;
    this.#range = range ?? subnet;
    this.#hint = firstOf(this.#range);
  }

  get range(): Cidr {
    return this.#range;
  }

  /** Books an address for the owner; the same owner again gets the same one, which then is not new. */
  take(owner: string, preferred: Address | undefined, isGateway: boolean): { readonly address: Address; readonly isNew: boolean } {
    const held = this.#byOwner.get(owner);
    if (held !== undefined) {
      if (preferred !== undefined && preferred.value !== held) {
        throw alreadyExists(`${owner} has ${this.#format(held)} of pool ${formatCidr(this.subnet)}, not ${formatAddress(preferred)}`);
      }
      return { address: this.#address(held), isNew: false };
    }
    const value = preferred === undefined ? this.#choose(isGateway) : this.#wished(preferred);
    this.restore(owner, value);
    return { address: this.#address(value), isNew: true };
  }

  restore(owner: string, value: bigint): void {
    this.#byOwner.set(owner, value);
    this.#taken.add(value);
  }

  release(owner: string): boolean {
    const value = this.#byOwner.get(owner);
    if (value === undefined) return false;
    this.#byOwner.delete(owner);
    this.#taken.delete(value);
    if (value < this.#hint && value >= firstOf(this.#range)) this.#hint = value;
    return true;
  }

  #wished(address: Address): bigint {
    if (!contains(this.subnet, address) || this.#isReserved(address.value)) {
      throw invalidArgument(`address ${formatAddress(address)} is not usable in pool ${formatCidr(this.subnet)}`);
    }
    if (this.#taken.has(address.value)) throw alreadyExists(`address ${formatAddress(address)} is in use`);
    return address.value;
  }

  /** The gateway is the subnet's first address, wherever the range begins. */
  #choose(isGateway: boolean): bigint {
    const last = isGateway ? lastOf(this.subnet) : lastOf(this.#range);
    for (let value = isGateway ? firstOf(this.subnet) : this.#hint; value <= last; value += 1n) {
      if (this.#taken.has(value) || this.#isReserved(value)) continue;
      if (!isGateway) this.#hint = value;
      return value;
    }
    throw exhausted(`no free address in pool ${formatCidr(this.subnet)}`);
  }

  /** The network's own address (IPv6: all routers, RFC 4291 2.6.1) and IPv4's broadcast; a point-to-point prefix has neither (RFC 3021, RFC 6164). */
  #isReserved(value: bigint): boolean {
    if (this.subnet.length >= bitsOf(this.subnet.family) - 1) return false;
    return value === firstOf(this.subnet) || (this.subnet.family === 4 && value === lastOf(this.subnet));
  }

  #address(value: bigint): Address {
    return { family: this.subnet.family, value };
  }

  #format(value: bigint): string {
    return formatAddress(this.#address(value));
  }
}
