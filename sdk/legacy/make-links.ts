import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { conflict, fromErrno, invalidArgument, notImplemented } from '../errors.ts';
import {
  addressRequest,
  bridgePortRequest,
  isErrno,
  type LinkKind,
  linkSetRequest,
  type NetlinkRequest,
  Nftables,
  Rtnetlink,
} from '../linux/index.ts';
import type { EndpointPlan, Link, NetworkPlan } from '../network/index.ts';
import type { Logger } from '../types/index.ts';
import { portRules, type PublishedPort } from './ports.ts';

/** An endpoint, and what is published of it. */
export interface PublishingEndpoint {
  readonly plan: EndpointPlan;
  readonly ports?: readonly PublishedPort[];
}

/** Makes what a network driver planned, in the machine's namespace. Every link of ours has an alias; others are left alone. */
export class PlannedLinks implements Disposable {
  readonly #kernel = Rtnetlink.open();
  readonly #log: Logger;
  readonly #table: string;
  #hasRules = false;

  /** `owner`: the plugin, which has one table of rules. */
  constructor(owner: string, log: Logger) {
    this.#log = log;
    this.#table = `gantry_${createHash('sha256').update(owner).digest('hex').slice(0, 12)}`;
  }

  /** What is there already stays; `conflict` for a name that somebody else uses. */
  makeNetwork({ network, links, isolation, sysctls = {}, rules = [] }: NetworkPlan): void {
    if (rules.length > 0) throw notImplemented('the driver plans rules of its own, which a Docker plugin of this SDK does not load');
    const { routedSubnets = [], openSubnets = [], trustedLinks = [] } = isolation ?? {};
    if (routedSubnets.length + openSubnets.length + trustedLinks.length > 0)
      throw notImplemented(
        'the driver plans containers that are reached by their own addresses, which a Docker plugin of this SDK does not filter',
      );
    const attrs = links.flatMap((link) => (link.kind === 'vxlan' ? Object.keys(link.attrs ?? {}) : [])).filter((name) => name !== 'id');
    if (attrs.length > 0)
      throw notImplemented(`the driver plans a vxlan with ${attrs.join(', ')}, which a Docker plugin of this SDK does not make`);
    for (const link of links) if (link.kind !== 'none') this.#makeHostLink(link, aliasOf(network.id), sysctls);
  }

  removeNetwork({ network, links }: NetworkPlan): void {
    for (const { name } of links.toReversed()) this.#remove(name, aliasOf(network.id));
  }

  /**
   * Source NAT, the walls of internal networks and published ports, of all networks and endpoints there are: the table is replaced as a whole, in one
   * transaction.
   */
  setRules(plans: readonly NetworkPlan[], endpoints: readonly PublishingEndpoint[]): void {
    const ports = endpoints.map(({ plan, ports: published = [] }) => portRules(plan, published));
    const nat = [...plans.flatMap(({ masquerade }) => masquerade.map(natRule)), ...ports.flatMap(({ from }) => from)];
    const forwards = ports.flatMap(({ to }) => to);
    const walls = plans.flatMap(({ isolation }) => (isolation?.internal === true ? wallRules(isolation.bridge) : []));
    const table = `table inet ${this.#table}`;
    const isNeeded = nat.length + walls.length + forwards.length > 0;
    const chains = [
      `add chain inet ${this.#table} nat { type nat hook postrouting priority srcnat; }`,
      `add chain inet ${this.#table} walls { type filter hook forward priority filter; }`,
      ...nat.map((rule) => `add rule inet ${this.#table} nat ${rule}`),
      ...walls.map((rule) => `add rule inet ${this.#table} walls ${rule}`),
      // From elsewhere, and from the machine itself.
      ...['prerouting', 'output'].flatMap((hook) => [
        `add chain inet ${this.#table} ports_${hook} { type nat hook ${hook} priority -100; }`,
        ...forwards.map((rule) => `add rule inet ${this.#table} ports_${hook} ${rule}`),
      ]),
    ];
    if (!isNeeded && !this.#hasRules) return;
    using session = Nftables.open();
    session.run([`add ${table}`, `delete ${table}`, ...(isNeeded ? [`add ${table}`, ...chains] : [])].join('\n'));
    this.#hasRules = isNeeded;
  }

  /** Makes a container's link, down, and answers the name under which it is to be moved. Made already: the same name. */
  makeEndpoint(endpointId: string, { link, mac }: EndpointPlan): string {
    const [host, inner] = [`gh${endpointId.slice(0, 11)}`, `gc${endpointId.slice(0, 11)}`];
    const shared = { ...(link.mtu === undefined ? {} : { mtu: link.mtu }), ...(mac === undefined ? {} : { address: mac }) };
    if (link.kind === 'none') return '';
    if (link.kind === 'existing') return link.parent ?? link.name;
    if (this.#kernel.linkGet(inner) !== undefined) return inner;
    const alias = aliasOf(endpointId);
    if (link.kind !== 'veth') {
      this.#kernel.linkAdd(inner, this.#innerKind(link), { alias, ...shared });
      return inner;
    }
    const master = link.master === undefined ? {} : { master: this.#indexOf(link.master) };
    const mtu = link.mtu === undefined ? {} : { mtu: link.mtu };
    this.#kernel.linkAdd(host, { kind: 'veth', peer: { name: inner, ...shared } }, { alias, up: true, ...mtu, ...master });
    if (link.master !== undefined) {
      this.#kernel.all([bridgePortRequest(host, { isHairpin: true, isIsolated: link.attrs?.['isolated'] === '1' })]);
    }
    return inner;
  }

  /** Both ends of a veth go with one. Gone with the container's namespace already: nothing to do. */
  removeEndpoint(endpointId: string): void {
    for (const prefix of ['gh', 'gc']) this.#remove(`${prefix}${endpointId.slice(0, 11)}`, aliasOf(endpointId));
  }

  [Symbol.dispose](): void {
    this.#kernel[Symbol.dispose]();
  }

  #makeHostLink(link: Link, alias: string, sysctls: Readonly<Record<string, string>>): void {
    const there = this.#kernel.linkGet(link.name);
    const mayUse = link.existing === true || link.kind === 'existing';
    if (there !== undefined && there.alias !== alias && !mayUse) throw conflict(`interface ${link.name} is already there and is not ours`);
    if (there === undefined && link.kind === 'existing') throw conflict(`interface ${link.name} is not there`);
    const index =
      there?.index ??
      this.#kernel.linkAdd(link.name, this.#hostKind(link), { alias, ...(link.mtu === undefined ? {} : { mtu: link.mtu }) });
    if (there === undefined) this.#setSysctls(sysctls, link.name);
    const requests: NetlinkRequest[] = (link.addresses ?? []).map((address) =>
      addressRequest('add', { link: index, address, isWithoutDad: true }),
    );
    const failed = this.#kernel
      .tryAll([...requests, linkSetRequest(index, { up: true })])
      .find((error) => error !== undefined && error.code !== 'EEXIST');
    if (failed !== undefined) throw fromErrno(failed, `make ${link.name}`);
  }

  #remove(name: string, alias: string): void {
    if (this.#kernel.linkGet(name)?.alias === alias) this.#kernel.linkDelete(name);
  }

  #indexOf(name: string): number {
    const found = this.#kernel.linkGet(name);
    if (found === undefined) throw conflict(`interface ${name} is not there`);
    return found.index;
  }

  #hostKind({ kind, name, parent, attrs }: Link): LinkKind {
    if (kind === 'bridge' || kind === 'dummy') return { kind };
    if (kind === 'vlan') return { kind, link: this.#indexOf(parent ?? ''), vlanId: Number(attrs?.['id']) };
    if (kind === 'vxlan') return { kind, vxlanId: Number(attrs?.['id']), ...(parent === undefined ? {} : { link: this.#indexOf(parent) }) };
    throw invalidArgument(`link ${name}: a ${kind} belongs to a container, not to a network`);
  }

  #innerKind({ kind, name, parent = '', attrs }: Link): LinkKind {
    const mode = attrs?.['mode'];
    if (kind === 'dummy') return { kind };
    if (kind === 'macvlan') return { kind, link: this.#indexOf(parent), mode: oneOf(mode, ['bridge', 'private', 'vepa', 'passthru']) };
    if (kind === 'ipvlan') {
      const flag = oneOf(attrs?.['flag'], ['bridge', 'private', 'vepa']);
      return { kind, link: this.#indexOf(parent), mode: oneOf(mode, ['l2', 'l3', 'l3s']), flag };
    }
    throw invalidArgument(`link ${name}: a ${kind} belongs to a network, not to a container`);
  }

  /** Docker shows its plugins these settings read-only, unless they are privileged in other ways. */
  #setSysctls(sysctls: Readonly<Record<string, string>>, link: string): void {
    for (const [key, value] of Object.entries(sysctls)) {
      const path = key.split('.').map((part) => (part === 'IFNAME' ? link : part));
      try {
        writeFileSync(`/proc/sys/${path.join('/')}`, value, { flag: 'r+' });
      } catch (error) {
        if (!isErrno(error, 'ENOENT', 'EROFS', 'EACCES', 'EPERM')) throw fromErrno(error, `set ${key}`);
        this.#log.debug({ key, value, err: error }, 'a setting of the kernel cannot be changed here');
      }
    }
  }
}

function natRule({ fromCidr, exceptOutLink, toAddress }: NetworkPlan['masquerade'][number]): string {
  const family = fromCidr.includes(':') ? 'ip6' : 'ip';
  const target = toAddress === undefined ? 'masquerade' : `snat ${family} to ${word(toAddress)}`;
  return `${family} saddr ${word(fromCidr)} oifname != "${word(exceptOutLink)}" ${target}`;
}

function wallRules(bridge: string): readonly string[] {
  const name = word(bridge);
  return [`iifname "${name}" oifname != "${name}" drop`, `oifname "${name}" iifname != "${name}" drop`];
}

/** What a driver says is put into commands: an address or a name, and nothing else. */
function word(text: string): string {
  if (/^[a-zA-Z0-9._:/@-]*$/.test(text)) return text;
  throw invalidArgument(`${JSON.stringify(text)} is no address and no name of an interface`);
}

function oneOf<const Name extends string>(wanted: string | undefined, names: readonly [Name, ...Name[]]): Name {
  return names.find((name) => name === wanted) ?? names[0];
}

function aliasOf(id: string): string {
  return `gantry-docker:${id}`;
}
