import { type Logger, messageOf } from '@gantry/sdk';
import { type NftElementChange, NftElements, Nftables, NftGenerations, type NftOptions, NftPlace } from '@gantry/sdk/linux';
import {
  addScript,
  bareTableName,
  deleteScript,
  type Element,
  isPlain,
  linkElements,
  type LinkedPort,
  networkElements,
  type NetworkRules,
  portElements,
  type PortMapping,
  removeTableScript,
  tableName,
  tableScript,
} from './network-rules.ts';

/**
 * The one nftables table. It is kept in memory as counted elements and changed in the kernel by one transaction per change; the first
 * change of a process, and one that the kernel refuses, replace the table as a whole, so it needs no clean state to start from.
 */
export class Firewall implements Disposable {
  #session: Nftables | undefined;
  readonly #log: Logger;
  readonly #networks = new Map<string, readonly Element[]>();
  readonly #ports = new Map<string, readonly Element[]>();
  readonly #links = new Map<string, readonly Element[]>();
  readonly #counted = new Map<string, { readonly element: Element; count: number }>();
  readonly #generations = new NftGenerations();
  readonly #elements = new NftElements(bareTableName);
  readonly #place = new NftPlace();
  #isLoaded = false;
  /** The rules as the kernel shows them after they were loaded; they never change. */
  #rules = '';
  /** The generation of all rules of this network namespace at which the table was known to be whole. */
  #seen: number | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Whether there is anything that the kernel must have. */
  get isNeeded(): boolean {
    return this.#networks.size > 0;
  }

  /** Remembers a network and a user's ports of an earlier process without touching the kernel: the next change brings them along. */
  remember({
    networks,
    ports,
  }: {
    readonly networks?: ReadonlyMap<string, NetworkRules>;
    readonly ports?: ReadonlyMap<string, readonly PortMapping[]>;
  }): void {
    for (const [id, rules] of networks ?? []) this.#hold(this.#networks, id, networkElements(rules));
    for (const [owner, mappings] of ports ?? []) this.#hold(this.#ports, owner, portElements(mappings));
  }

  /** The same rules again change nothing, in the kernel neither. */
  setNetwork(id: string, rules: NetworkRules): void {
    this.#change(this.#networks, id, networkElements(rules));
  }

  removeNetwork(id: string): void {
    this.#change(this.#networks, id, []);
  }

  setPorts(owner: string, mappings: readonly PortMapping[]): void {
    this.#change(this.#ports, owner, portElements(mappings));
  }

  removePorts(owner: string): void {
    this.#change(this.#ports, owner, []);
  }

  /** All of them; those that are not among them any more are closed. */
  setLinks(links: readonly LinkedPort[]): void {
    this.#change(this.#links, 'all', linkElements(links));
  }

  /**
   * Puts the table back when somebody removed it, or anything in it; answers whether it had to. Some 20 µs when nobody changed any rules
   * since; else it is compared.
   */
  repair(): boolean {
    if (!this.isNeeded) return false;
    const generation = this.#generations.now();
    if (this.#isLoaded && generation !== undefined && generation === this.#seen) return false;
    if (this.#isLoaded && this.#content() === this.#expected()) {
      this.#seen = generation;
      return false;
    }
    this.#replace();
    return true;
  }

  [Symbol.dispose](): void {
    this.#generations[Symbol.dispose]();
    this.#elements[Symbol.dispose]();
    this.#place[Symbol.dispose]();
    this.#session?.[Symbol.dispose]();
    this.#session = undefined;
  }

  #run(commands: string, options: NftOptions = {}): string {
    this.#session ??= this.#place.use(() => Nftables.open());
    return this.#session.run(commands, options);
  }

  #change(owners: Map<string, readonly Element[]>, owner: string, elements: readonly Element[]): void {
    const before = owners.get(owner) ?? [];
    if ((this.#isLoaded || elements.length === 0) && keys(before) === keys(elements)) return;
    const held = new Set(this.#counted.keys());
    this.#release(before);
    this.#hold(owners, owner, elements);
    if (!this.isNeeded) return this.#remove(owners);
    const added = elements.filter((element) => !held.has(keyOf(element)));
    const removed = before.filter((element) => !this.#counted.has(keyOf(element)));
    if (!this.#isLoaded) return this.#replace();
    if (added.length + removed.length === 0) return;
    try {
      this.#send({ added: unique(added), removed: unique(removed) });
      const generation = this.#generations.now();
      // More than our one step: somebody else changed rules, too, and the next look compares.
      if (this.#seen !== undefined && generation === this.#seen + 1) this.#seen = generation;
    } catch (error) {
      this.#log.warn({ reason: messageOf(error) }, 'the firewall table is not as it was left; replacing it');
      this.#replace();
    }
  }

  #send({ added, removed }: NftElementChange): void {
    if ([...added, ...removed].every(isPlain)) this.#elements.change({ added, removed });
    else this.#run([deleteScript(removed), addScript(added)].join('\n'));
  }

  #hold(owners: Map<string, readonly Element[]>, owner: string, elements: readonly Element[]): void {
    if (elements.length === 0) owners.delete(owner);
    else owners.set(owner, elements);
    for (const element of elements) {
      const counted = this.#counted.get(keyOf(element));
      if (counted === undefined) this.#counted.set(keyOf(element), { element, count: 1 });
      else counted.count += 1;
    }
  }

  #release(elements: readonly Element[]): void {
    for (const element of elements) {
      const counted = this.#counted.get(keyOf(element));
      if (counted === undefined) continue;
      counted.count -= 1;
      if (counted.count === 0) this.#counted.delete(keyOf(element));
    }
  }

  #replace(): void {
    this.#run(tableScript([...this.#counted.values()].map(({ element }) => element)));
    this.#isLoaded = true;
    this.#rules = this.#shown().rules;
    this.#seen = this.#generations.now();
  }

  #content(): string {
    const { rules, counts } = this.#shown();
    return JSON.stringify([rules, counts]);
  }

  #expected(): string {
    const counts: Record<string, number> = {};
    for (const { element } of this.#counted.values()) counts[element.set] = (counts[element.set] ?? 0) + 1;
    return JSON.stringify([this.#rules, sorted(counts)]);
  }

  /** The table as the kernel has it: its rules as text, and how many elements each set has; nothing when it is gone. */
  #shown(): { readonly rules: string; readonly counts: Readonly<Record<string, number>> } {
    try {
      return readListing(this.#run(`list table ${tableName}`, { json: true }));
    } catch {
      return { rules: '', counts: {} };
    }
  }

  #remove(changed: ReadonlyMap<string, unknown>): void {
    if (changed !== this.#networks && !this.#isLoaded) return;
    this.#run(removeTableScript());
    this.#isLoaded = false;
  }
}

const keyOf = ({ set, text }: Element): string => `${set} ${text}`;
const keys = (elements: readonly Element[]): string => elements.map(keyOf).join('\n');

function unique(elements: readonly Element[]): readonly Element[] {
  return [...new Map(elements.map((element) => [keyOf(element), element])).values()];
}

/** libnftables-json(5): sets and maps with `elem`, and everything else without the handles, which change with every load. */
function readListing(json: string): { readonly rules: string; readonly counts: Readonly<Record<string, number>> } {
  const { nftables }: { readonly nftables: readonly Readonly<Record<string, Listed>>[] } = JSON.parse(json);
  const counts: Record<string, number> = {};
  const rules: unknown[] = [];
  for (const entry of nftables) {
    const set = entry['set'] ?? entry['map'];
    if (set !== undefined) {
      if ((set.elem?.length ?? 0) > 0) counts[set.name ?? ''] = set.elem?.length ?? 0;
    } else if ('chain' in entry || 'rule' in entry) rules.push(entry);
  }
  return { rules: JSON.stringify(rules, (key, value: unknown) => (key === 'handle' ? undefined : value)), counts: sorted(counts) };
}

interface Listed {
  readonly name?: string;
  readonly elem?: readonly unknown[];
}

function sorted(counts: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(counts).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
