import { createHash } from 'node:crypto';
import { conflict, fromErrno } from '../errors.ts';
import {
  addressRequest,
  linkAddRequests,
  linkIndex,
  type Link as Found,
  linkSetRequest,
  type NetlinkRequest,
  neighbourRequest,
  Rtnetlink,
} from '../linux/index.ts';
import type { Link, NetworkPlan } from '../network/index.ts';
import { hostKind, remotesOf } from './kinds.ts';
import { linkRefused } from './refused.ts';
import { setSysctls, type Unsettable } from './settings.ts';

export interface HostLinksOptions {
  /** What the aliases of links of ours begin with: whoever shares the machine with others has a mark of its own. */
  readonly mark: string;
  /** Where settings of the kernel cannot be changed. */
  readonly unsettable?: Unsettable;
}

/** Links of the host side: each one of ours says so in its alias, the mark and the id of what it belongs to; all others are left alone. */
export class HostLinks implements Disposable {
  readonly #options: HostLinksOptions;
  /** Links that were seen to be ours, by name: whose, and under which index. Asking the kernel whose a link is waits for everybody who makes or removes one. */
  readonly #seen = new Map<string, { readonly index: number; readonly owner: string }>();
  #socket: Rtnetlink | undefined;

  constructor(options: HostLinksOptions) {
    this.#options = options;
  }

  /** Kept open: it costs one descriptor, and opening it a third of what a container's link costs. */
  get kernel(): Rtnetlink {
    this.#socket ??= Rtnetlink.open();
    return this.#socket;
  }

  /** The alias of a link that belongs to this network or endpoint; of the empty id, what all of ours begin with. */
  markOf(id: string): string {
    return `${this.#options.mark}${id}`;
  }

  /** Whether a network's links are there and ours, or such as it may use although they are another's; false of one without any. */
  has({ links, network }: NetworkPlan): boolean {
    return (
      links.length > 0 &&
      links.every((link) => {
        if (link.kind === 'none') return true;
        return isAnothers(link) ? linkIndex(link.name) !== undefined : this.isOf(link.name, network.id);
      })
    );
  }

  /** Throws `conflict` when a name that the plan wants is somebody else's; makes nothing. */
  checkFree(plan: NetworkPlan): void {
    for (const link of plan.links) this.#usable(link, plan);
  }

  /** Makes what is missing of a network's links and addresses; a second call changes nothing. A name that somebody else uses is a `conflict`. */
  make(plan: NetworkPlan): void {
    for (const link of plan.links) {
      if (link.kind !== 'none') this.#makeOne(link, plan);
    }
  }

  /** Removes those of a network's links that are ours, last made first. */
  async remove(plan: NetworkPlan): Promise<void> {
    for (const link of plan.links.toReversed()) await this.removeOne(link.name, plan.network.id);
  }

  /** Removes a link that belongs to this: gone for everybody, though the kernel goes on with it for some 10 to 50 ms. */
  async removeOne(name: string, owner: string): Promise<void> {
    if (!this.isOf(name, owner)) return;
    this.#seen.delete(name);
    const { rest } = await Rtnetlink.linkDeleteSoon(name);
    rest.catch(() => undefined); // EBUSY and the like come before it is gone, and are thrown by linkDeleteSoon
  }

  /** Whether a link is there and belongs to this. */
  isOf(name: string, owner: string): boolean {
    const index = linkIndex(name);
    const seen = this.#seen.get(name);
    if (index === undefined) return false;
    if (seen?.index === index) return seen.owner === owner;
    if (this.kernel.linkGet(name)?.alias !== this.markOf(owner)) return false;
    this.#seen.set(name, { index, owner });
    return true;
  }

  indexOf(name: string): number {
    const index = linkIndex(name);
    if (index === undefined) throw conflict(`network interface ${name} is not there`);
    return index;
  }

  [Symbol.dispose](): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
  }

  #makeOne(link: Link, plan: NetworkPlan): void {
    const there = this.#usable(link, plan);
    const index = there?.index ?? this.#add(link, plan.network.id);
    if (there === undefined || !there.isUp) setSysctls(plan.sysctls ?? {}, link.name, this.#options.unsettable);
    const requests: NetlinkRequest[] = [
      ...(link.master === undefined ? [] : [linkSetRequest(index, { master: this.indexOf(link.master) })]),
      ...(link.addresses ?? []).map((address) => addressRequest('add', { link: index, address, isWithoutDad: true })),
      ...remotesOf(link).map((remote) => neighbourRequest('add', { link: index, address: '00:00:00:00:00:00', remote })),
    ];
    for (const error of this.kernel.tryAll([...requests, linkSetRequest(index, { up: true })])) {
      if (error !== undefined && error.code !== 'EEXIST') throw fromErrno(error, `make network ${plan.network.name}`);
    }
  }

  #add(link: Link, owner: string): number {
    try {
      const kind = hostKind(link, (name) => this.indexOf(name));
      this.kernel.all(linkAddRequests(link.name, kind, propertiesOf(link, this.markOf(owner))));
    } catch (error) {
      throw linkRefused(link, error);
    }
    const index = this.indexOf(link.name);
    this.#seen.set(link.name, { index, owner });
    return index;
  }

  #usable(link: Link, { network }: NetworkPlan): Found | undefined {
    const alias = this.markOf(network.id);
    const there = this.#unlessAbandoned(link.name, alias);
    if (there !== undefined && there.alias !== alias && !isAnothers(link)) {
      throw conflict(`cannot make network ${network.name}: interface ${link.name} is already there and is not ours`);
    }
    if (there === undefined && link.kind === 'existing') throw conflict(`network interface ${link.name} is not there`);
    return there;
  }

  /** What has the name; a bridge that an engine with other books left, and that nobody uses, is removed first. */
  #unlessAbandoned(name: string, alias: string): Found | undefined {
    const there = linkIndex(name) === undefined ? undefined : this.kernel.linkGet(name);
    const isForeign = there?.kind === 'bridge' && there.alias?.startsWith(this.markOf('')) === true && there.alias !== alias;
    if (there === undefined || !isForeign || this.kernel.linkList().some(({ master }) => master === there.index)) return there;
    this.kernel.linkDelete(there.index);
    return undefined;
  }
}

function isAnothers({ kind, existing }: Link): boolean {
  return kind === 'existing' || existing === true;
}

/** A bridge without an address of its own takes its lowest port's, and every change of it makes the neighbours' ARP entries stale. */
function propertiesOf(link: Link, alias: string) {
  const address = createHash('sha256').update(`${alias}/${link.name}`).digest('hex').slice(0, 8).match(/../g)?.join(':');
  return {
    alias,
    ...(link.mtu === undefined ? {} : { mtu: link.mtu }),
    ...(link.kind === 'bridge' ? { address: `02:42:${address}` } : {}),
  };
}
