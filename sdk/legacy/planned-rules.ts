import { createHash } from 'node:crypto';
import { invalidArgument, notImplemented } from '../errors.ts';
import { Nftables } from '../linux/index.ts';
import type { EndpointPlan, NetworkPlan } from '../network/index.ts';
import { portRules, type PublishedPort } from './ports.ts';

/** An endpoint, and what is published of it. */
export interface PublishingEndpoint {
  readonly plan: EndpointPlan;
  readonly ports?: readonly PublishedPort[];
}

/** Refuses by name what a network's plan wants of the firewall that the rules here have no place for. */
export function checkRules({ isolation, rules = [] }: NetworkPlan): void {
  if (rules.length > 0) throw notImplemented('the driver plans rules of its own, which a Docker plugin of this SDK does not load');
  const { routedSubnets = [], openSubnets = [], trustedLinks = [] } = isolation ?? {};
  if (routedSubnets.length + openSubnets.length + trustedLinks.length > 0)
    throw notImplemented(
      'the driver plans containers that are reached by their own addresses, which a Docker plugin of this SDK does not filter',
    );
}

/** A plugin's one table of rules: source NAT, the walls of internal networks and published ports, of all networks and endpoints there are. */
export class PlannedRules {
  readonly #table: string;
  #isThere = false;

  /** `owner`: the plugin. */
  constructor(owner: string) {
    this.#table = `gantry_${createHash('sha256').update(owner).digest('hex').slice(0, 12)}`;
  }

  /** The table is replaced as a whole, in one transaction. */
  set(plans: readonly NetworkPlan[], endpoints: readonly PublishingEndpoint[]): void {
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
    if (!isNeeded && !this.#isThere) return;
    using session = Nftables.open();
    session.run([`add ${table}`, `delete ${table}`, ...(isNeeded ? [`add ${table}`, ...chains] : [])].join('\n'));
    this.#isThere = isNeeded;
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
