import { parseAddress, parseCidr } from '@gantry/sdk/network';
import type { NetworkBooks } from '../books.ts';
import type { EndpointRecord } from '../documents.ts';
import { parseLink } from '../endpoints/wishes.ts';

/** The names that one container sees. */
export interface Zone {
  /** Undefined: nobody here has that name. */
  addressesOf(name: string): readonly string[] | undefined;
  /** Its first name with the network's, e.g. "web.shop". */
  nameOf(address: string): string | undefined;
}

/** Names of one network: built at the first question after a change. */
interface NetworkNames {
  readonly revision: number;
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly names: ReadonlyMap<string, string>;
}

/** Who is called how on each network, for all name servers together. */
export class NamesOfNetworks {
  readonly #books: NetworkBooks;
  readonly #names = new Map<string, NetworkNames>();

  constructor(books: NetworkBooks) {
    this.#books = books;
  }

  /** The first of the networks that knows a name answers, as in Docker. */
  zone(containerId: string, networkIds: readonly string[]): Zone {
    return {
      addressesOf: (name) => this.#first(networkIds, (networkId) => this.#lookUp(containerId, networkId, name.toLowerCase())),
      nameOf: (address) => this.#first(networkIds, (networkId) => this.#of(networkId).names.get(canonical(address))),
    };
  }

  #first<T>(networkIds: readonly string[], ask: (networkId: string) => T | undefined): T | undefined {
    for (const networkId of networkIds) {
      const found = ask(networkId);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #lookUp(containerId: string, networkId: string, name: string): readonly string[] | undefined {
    const { addresses } = this.#of(networkId);
    const suffix = `.${this.#books.byId(networkId)?.name.toLowerCase()}`;
    const bare = name.endsWith(suffix) ? name.slice(0, -suffix.length) : undefined;
    return this.#linked(containerId, networkId, name) ?? addresses.get(name) ?? (bare === undefined ? undefined : addresses.get(bare));
  }

  /** Links on a user's network: an alias that only the container with the link sees. */
  #linked(containerId: string, networkId: string, name: string): readonly string[] | undefined {
    const links = this.#books.endpoint(containerId, networkId)?.document.config.Links ?? [];
    const link = links.map(parseLink).find(({ alias }) => alias.toLowerCase() === name);
    return link === undefined ? undefined : this.#of(networkId).addresses.get(link.target.toLowerCase());
  }

  #of(networkId: string): NetworkNames {
    const known = this.#names.get(networkId);
    if (known?.revision === this.#books.endpointRevision) return known;
    const names = collect(this.#books, networkId);
    this.#names.set(networkId, names);
    return names;
  }
}

function collect(books: NetworkBooks, networkId: string): NetworkNames {
  const addresses = new Map<string, readonly string[]>();
  const names = new Map<string, string>();
  const network = books.byId(networkId)?.name ?? '';
  for (const { document } of books.endpointsOn(networkId).filter(isUp)) {
    const own = document.addresses.flatMap((text) => text.split('/')[0] ?? []);
    for (const name of document.names) addresses.set(name.toLowerCase(), [...(addresses.get(name.toLowerCase()) ?? []), ...own]);
    for (const address of own) names.set(canonical(address), `${document.names[0]}.${network}`);
  }
  return { revision: books.endpointRevision, addresses, names };
}

function isUp({ document }: EndpointRecord): boolean {
  return document.ifname !== '';
}

function canonical(address: string): string {
  const parsed = parseAddress(address) ?? parseCidr(address);
  return parsed === undefined ? address : `${parsed.family}/${parsed.value}`;
}
