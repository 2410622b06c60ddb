import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { conflict, fromErrno, GantryError, invalidArgument, unavailable } from '@gantry/sdk';
import {
  addressRequest,
  isErrno,
  linkExists,
  type LinkKind,
  linkSetRequest,
  type NetlinkRequest,
  neighbourRequest,
  Rtnetlink,
} from '@gantry/sdk/linux';
import type { Link, NetworkPlan } from '@gantry/sdk/network';

/** Links of the host side: each one of ours says so in its alias, `gantry:<id of what it belongs to>`; all others are left alone. */
export class HostLinks implements Disposable {
  #socket: Rtnetlink | undefined;

  /** Kept open: it costs one descriptor, and opening it a third of what a container's link costs. */
  get kernel(): Rtnetlink {
    this.#socket ??= Rtnetlink.open();
    return this.#socket;
  }

  /** Whether a network's links are there and ours, or such as it may use although they are another's; false of one without any. */
  has({ links, network }: NetworkPlan): boolean {
    return (
      links.length > 0 &&
      links.every((link) => {
        const there = link.kind === 'none' ? undefined : this.kernel.linkGet(link.name);
        return link.kind === 'none' || (there !== undefined && (there.alias === aliasOf(network.id) || isAnothers(link)));
      })
    );
  }

  /** Throws `conflict` when a name that the plan wants is somebody else's; makes nothing. */
  checkFree(plan: NetworkPlan): void {
    for (const link of plan.links) this.#usable(link, plan);
  }

  /** Makes what is missing of a network's links and addresses; a second call changes nothing. A name that somebody else uses is a `conflict`. */
  make(plan: NetworkPlan): void {
    const alias = aliasOf(plan.network.id);
    for (const link of plan.links) {
      if (link.kind !== 'none') this.#makeOne(link, alias, plan);
    }
  }

  /** Removes those of a network's links that are ours, last made first. */
  async remove(plan: NetworkPlan): Promise<void> {
    for (const link of plan.links.toReversed()) await this.removeOne(link.name, aliasOf(plan.network.id));
  }

  /** Removes a link that has this mark: gone for everybody, though the kernel goes on with it for some 10 to 50 ms. */
  async removeOne(name: string, alias: string): Promise<void> {
    if (this.kernel.linkGet(name)?.alias !== alias) return;
    const { rest } = await Rtnetlink.linkDeleteSoon(name);
    rest.catch(() => undefined); // EBUSY and the like come before it is gone, and are thrown by linkDeleteSoon
  }

  indexOf(name: string): number {
    const found = this.kernel.linkGet(name);
    if (found === undefined) throw conflict(`network interface ${name} is not there`);
    return found.index;
  }

  [Symbol.dispose](): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
  }

  #makeOne(link: Link, alias: string, plan: NetworkPlan): void {
    const there = this.#usable(link, plan);
    const index = there?.index ?? this.#add(link, alias);
    if (there === undefined || !there.isUp) setSysctls(plan.sysctls ?? {}, link.name);
    const requests: NetlinkRequest[] = [
      ...(link.master === undefined ? [] : [linkSetRequest(index, { master: this.indexOf(link.master) })]),
      ...(link.addresses ?? []).map((address) => addressRequest('add', { link: index, address, isWithoutDad: true })),
      ...remotesOf(link).map((remote) => neighbourRequest('add', { link: index, address: '00:00:00:00:00:00', remote })),
    ];
    for (const error of this.kernel.tryAll([...requests, linkSetRequest(index, { up: true })])) {
      if (error !== undefined && error.code !== 'EEXIST') throw fromErrno(error, `make network ${plan.network.name}`);
    }
  }

  #add(link: Link, alias: string): number {
    try {
      return this.kernel.linkAdd(link.name, this.#kindOf(link), propertiesOf(link, alias));
    } catch (error) {
      throw linkRefused(link, error);
    }
  }

  #usable(link: Link, plan: NetworkPlan): Found | undefined {
    const alias = aliasOf(plan.network.id);
    const there = this.#unlessAbandoned(link.name, alias);
    if (there !== undefined && there.alias !== alias && !isAnothers(link)) {
      throw conflict(`cannot make network ${plan.network.name}: interface ${link.name} is already there and is not ours`);
    }
    if (there === undefined && link.kind === 'existing') throw conflict(`network interface ${link.name} is not there`);
    return there;
  }

  /** What has the name; a bridge that an engine with other books left, and that nobody uses, is removed first. */
  #unlessAbandoned(name: string, alias: string): Found | undefined {
    const there = linkExists(name) ? this.kernel.linkGet(name) : undefined;
    const isForeign = there?.kind === 'bridge' && there.alias?.startsWith(aliasOf('')) === true && there.alias !== alias;
    if (there === undefined || !isForeign || this.kernel.linkList().some(({ master }) => master === there.index)) return there;
    this.kernel.linkDelete(there.index);
    return undefined;
  }

  #kindOf({ kind, name, parent, attrs }: Link): LinkKind {
    const link = () => this.indexOf(parent ?? '');
    switch (kind) {
      case 'bridge':
      case 'dummy':
        return { kind };
      case 'vlan':
        return { kind, link: link(), vlanId: Number(attrs?.['id']) };
      case 'vxlan':
        return { kind, vxlanId: Number(attrs?.['id']), ...vxlanAttributes(attrs), ...(parent === undefined ? {} : { link: link() }) };
      case 'veth':
      case 'macvlan':
      case 'ipvlan':
      case 'existing':
      case 'none':
        throw invalidArgument(`link ${name}: a ${kind} belongs to a container, not to a network`);
      default:
        return kind satisfies never;
    }
  }
}

function isAnothers({ kind, existing }: Link): boolean {
  return kind === 'existing' || existing === true;
}

/** Why the kernel made no link, in words that help. */
export function linkRefused({ kind, attrs, parent = '' }: Link, error: unknown): Error {
  if (isErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) {
    return unavailable(`this machine's kernel makes no ${kind} links`, {
      cause: error,
      hint: `load its module: modprobe ${kind === 'vlan' ? '8021q' : kind}`,
    });
  }
  // EINVAL is what macvlan says beside a passthru one, EBUSY what a link says that is a bridge's port.
  if ((kind === 'macvlan' && isErrno(error, 'EINVAL')) || isErrno(error, 'EBUSY')) {
    return conflict(`network interface ${parent} takes no more ${kind} links: it has a passthru one, or is a bridge's port`, {
      cause: error,
    });
  }
  if (kind === 'vxlan' && isErrno(error, 'EEXIST')) {
    return conflict(`VXLAN ${attrs?.['id']} on port ${attrs?.['port'] ?? 4789} is another network's`, { cause: error });
  }
  return GantryError.is(error) ? error : fromErrno(error, `make a ${kind} link`);
}

/** Where a vxlan's flooded packets go, one entry of its forwarding table each. */
function remotesOf({ attrs }: Link): readonly string[] {
  return (attrs?.['remotes'] ?? '').split(',').filter((remote) => remote !== '');
}

function vxlanAttributes({ local, group, port }: NonNullable<Link['attrs']> = {}) {
  return {
    ...(local === undefined ? {} : { local }),
    ...(group === undefined ? {} : { group }),
    ...(port === undefined ? {} : { port: Number(port) }),
  };
}

type Found = NonNullable<ReturnType<Rtnetlink['linkGet']>>;

export function aliasOf(id: string): string {
  return `gantry:${id}`;
}

/** Writes into the network namespace that this thread is in. A key that the kernel lacks (IPv6 is off) has nothing to say. */
export function setSysctls(sysctls: Readonly<Record<string, string>>, linkName: string): void {
  for (const [key, value] of Object.entries(sysctls)) {
    const path = key.split('.').map((part) => (part === 'IFNAME' ? linkName : part));
    const file = `/proc/sys/${path.join('/')}`;
    try {
      // Writing waits for the kernel's lock of all links, which a removed one keeps for some 10 ms; reading does not.
      if (readFileSync(file, 'utf8').trim() !== value) writeFileSync(file, value, { flag: 'r+' });
    } catch (error) {
      if (isErrno(error, 'ENOENT') && key.startsWith('net.ipv6.')) continue;
      throw fromErrno(error, `set ${key}`);
    }
  }
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
