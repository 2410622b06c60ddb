import { readFileSync, writeFileSync } from 'node:fs';
import { type Abortable, fromErrno, type Logger, messageOf } from '@gantry/sdk';
import { HostLinks, portRequest } from '@gantry/sdk/links';
import { forgetFlows, linkSetRequest, nft } from '@gantry/sdk/linux';
import { type EndpointPlan, type Network, type NetworkPlan, parseCidr } from '@gantry/sdk/network';
import type { Grants } from '../drivers/types.ts';
import { failpoint } from '../support/index.ts';
import { cniAdd, cniCheck, cniDel, type CniResult, type CniWork } from './cni.ts';
import { type CniAttachment, cniCollect, type CniNetwork, cniStatus } from './cni-network.ts';
import { blaming } from '@gantry/sdk/mounts';
import { checkNetworkPlan } from './network-check.ts';
import { cutEndpoint, type EndpointWork, freeName, hostLinkOf, type MadeEndpoint, makeEndpoint, removeInside } from './network-endpoint.ts';
import { Firewall } from './network-firewall.ts';
import type { LinkedPort, NetworkRules, PortMapping } from './network-rules.ts';

/** An endpoint as it was recorded: whole, or from before it was made. */
export interface MadeWork {
  readonly endpointId: string;
  readonly netnsPath: string;
  readonly ifname: string;
  readonly plan?: EndpointPlan | undefined;
}

/**
 * Executes what network drivers describe, in the network namespace of this process: links over rtnetlink, packets in one nftables table.
 * Everything is synchronous, may be repeated, and is undone from the plan alone.
 */
export class NetworkExecutor implements Disposable {
  readonly links = new HostLinks({ mark: 'gantry:' });
  readonly firewall: Firewall;
  readonly #log: Logger;
  /** Networks that this process has seen to. */
  readonly #made = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
    this.firewall = new Firewall(log);
  }

  /** Throws when the plan is out of bounds, which counts against its plugin; executes nothing. */
  check(plan: NetworkPlan, expected: { readonly network: Network; readonly grants: Grants }): void {
    checkNetworkPlan(plan, expected);
    const { rules = [] } = plan;
    if (rules.length > 0) blaming(expected.grants, () => nft(undefined, ownTable(plan), { dryRun: true }));
  }

  /** Makes what is missing of a network. A failure leaves a network that was there as it was, and nothing of a new one. */
  makeNetwork(plan: NetworkPlan): void {
    const isNew = !this.links.has(plan);
    try {
      this.#forward(plan);
      this.links.make(plan);
      failpoint('start.fw.rules');
      if (needsRules(plan)) this.firewall.setNetwork(plan.network.id, rulesOf(plan));
      if (plan.rules !== undefined && plan.rules.length > 0) nft(undefined, ownTable(plan));
      this.#made.add(plan.network.id);
    } catch (error) {
      if (isNew) this.#takeBack(plan);
      throw error;
    }
  }

  /** `makeNetwork`, unless this process did so and the link is still there: then one question to the kernel. */
  ensureNetwork(plan: NetworkPlan): void {
    if (!this.#made.has(plan.network.id) || (plan.links.length > 0 && !this.links.has(plan))) this.makeNetwork(plan);
  }

  async removeNetwork(plan: NetworkPlan): Promise<void> {
    this.#removeRules(plan);
    await this.links.remove(plan);
  }

  /** Makes a network again that somebody removed under its containers, and puts their links back on it. */
  restoreNetwork(plan: NetworkPlan, endpoints: readonly { readonly endpointId: string; readonly plan: EndpointPlan }[]): void {
    this.makeNetwork(plan);
    const bridge = plan.links.find(({ kind }) => kind === 'bridge');
    if (bridge === undefined) return;
    const master = this.links.indexOf(bridge.name);
    const requests = endpoints.flatMap((endpoint) => {
      const name = hostLinkOf(endpoint.endpointId);
      return [linkSetRequest(name, { master }), portRequest(name, endpoint.plan)];
    });
    this.links.kernel.tryAll(requests);
  }

  makeEndpoint(work: EndpointWork): MadeEndpoint {
    return makeEndpoint(this.links, work);
  }

  linkNames(): ReadonlySet<string> {
    return new Set(this.links.kernel.linkList().map(({ name }) => name));
  }

  /** Whether the host's end of an endpoint is there; of those that have none, nothing is known and true is answered. */
  hasEndpoint({ endpointId, plan }: Pick<MadeWork, 'endpointId' | 'plan'>, names?: ReadonlySet<string>): boolean {
    if (plan?.link.kind !== 'veth') return true;
    const name = hostLinkOf(endpointId);
    return names?.has(name) ?? this.links.kernel.linkGet(name) !== undefined;
  }

  /**
   * The endpoint's namespace goes too: a veth is cut off, which is cheap. Of others the parent must forget at once, since the next
   * container may have their address.
   */
  async cutEndpoint(work: MadeWork): Promise<void> {
    if (work.plan === undefined || work.plan.link.kind === 'veth') cutEndpoint(this.links, work.endpointId);
    else await this.undoEndpoint(work);
  }

  /** The endpoint's namespace lives on. */
  async undoEndpoint({ endpointId, netnsPath, ifname, plan }: MadeWork): Promise<void> {
    await this.links.removeOne(hostLinkOf(endpointId), endpointId);
    if (ifname !== '' && plan?.link.kind !== 'veth') await removeInside(netnsPath, ifname, plan?.link);
  }

  /** The name that a plan's link is to have in a namespace: "eth%d" is numbered. */
  freeName(netnsPath: string, name: string): string {
    return freeName(netnsPath, name);
  }

  /** As `makeEndpoint`, by CNI plugins. */
  addCni(work: CniWork, options: Abortable): Promise<CniResult> {
    return cniAdd(work, options);
  }

  checkCni(work: CniWork): Promise<void> {
    return cniCheck(work);
  }

  delCni(work: CniWork): Promise<void> {
    return cniDel(work);
  }

  /** Has CNI plugins give up what they have of anybody but these. */
  collectCni(network: CniNetwork, attachments: readonly CniAttachment[]): Promise<void> {
    return cniCollect(network, attachments);
  }

  /** Throws what a network's CNI plugins say when they are not ready. */
  statusOfCni(network: CniNetwork): Promise<void> {
    return cniStatus(network);
  }

  publish(owner: string, mappings: readonly PortMapping[]): void {
    if (mappings.length > 0) this.firewall.setPorts(owner, mappings);
    else this.firewall.removePorts(owner);
  }

  link(ports: readonly LinkedPort[]): void {
    this.firewall.setLinks(ports);
  }

  /**
   * Makes the kernel forget the UDP flows that these ports had before: it would go on sending their datagrams where they led then, for as
   * long as they come. A kernel that cannot be asked (no conntrack netlink) keeps them until they have been silent for 30 s.
   */
  forgetDatagrams(mappings: readonly PortMapping[]): void {
    const datagrams = mappings.filter(({ protocol }) => protocol === 'udp');
    if (datagrams.length === 0) return;
    const [ports, addresses] = [
      new Set(datagrams.map(({ hostPort }) => hostPort)),
      new Set(datagrams.map(({ containerIp }) => containerIp)),
    ];
    try {
      forgetFlows({
        protocol: 17,
        matches: (flow) => ports.has(flow.destinationPort) || (flow.isMapped && addresses.has(flow.answeredBy)),
      });
    } catch (error) {
      this.#log.warn({ reason: messageOf(error) }, 'could not make the kernel forget UDP flows of published ports');
    }
  }

  [Symbol.dispose](): void {
    this.links[Symbol.dispose]();
    this.firewall[Symbol.dispose]();
  }

  #removeRules(plan: NetworkPlan): void {
    this.#made.delete(plan.network.id);
    if (plan.rules !== undefined && plan.rules.length > 0) nft(undefined, withoutOwnTable(plan));
    this.firewall.removeNetwork(plan.network.id);
  }

  /** In one stretch with the failure: no other call may find a half-made network. */
  #takeBack(plan: NetworkPlan): void {
    this.#removeRules(plan);
    for (const { name } of plan.links) {
      if (this.links.isOf(name, plan.network.id)) this.links.kernel.linkDelete(name);
    }
  }

  /** Packets of containers are forwarded by the kernel only where that is on; a network that nothing leaves does not need it. */
  #forward({ isolation, network }: NetworkPlan): void {
    if (isolation === undefined || isolation.internal) return;
    const families = new Set(isolation.subnets.map((cidr) => parseCidr(cidr)?.family));
    if (families.has(4)) this.#switchOn('net/ipv4/ip_forward', network.name);
    if (families.has(6)) this.#switchOn('net/ipv6/conf/all/forwarding', network.name);
  }

  #switchOn(sysctl: string, network: string): void {
    const path = `/proc/sys/${sysctl}`;
    try {
      if (readFileSync(path, 'utf8').trim() !== '0') return;
      writeFileSync(path, '1');
    } catch (error) {
      throw fromErrno(error, `network ${network} needs ${sysctl}`);
    }
    this.#log.info({ sysctl, network }, 'switched on packet forwarding for containers');
  }
}

export function rulesOf({ isolation, masquerade }: NetworkPlan): NetworkRules {
  return { isolation, masquerade };
}

export function needsRules({ isolation, masquerade }: NetworkPlan): boolean {
  return isolation !== undefined || masquerade.length > 0;
}

/** A plugin's own rules live in a table per network, which it cannot leave. */
function ownTable(plan: NetworkPlan): string {
  return `${withoutOwnTable(plan)}\ntable ${ownTableName(plan)} {\n${plan.rules?.join('\n')}\n}`;
}

function withoutOwnTable(plan: NetworkPlan): string {
  return `table ${ownTableName(plan)}\ndelete table ${ownTableName(plan)}`;
}

function ownTableName({ network }: NetworkPlan): string {
  return `inet gantry_${network.id.slice(0, 12)}`;
}
