import { invalidArgument } from '../errors.ts';
import type { AttachRequest, DetachRequest, EndpointPlan, Network, NetworkDriver, NetworkPlan } from '../network/contract.ts';

/** A network driver that plans links of kind `dummy`, and remembers who asked. */
export class MemoryNetworkDriver implements NetworkDriver {
  readonly features = [] as const;
  readonly namespace = 'own';
  readonly dns = true;
  readonly ipam = true;
  readonly networks = new Map<string, Network>();
  /** Ids of networks by attachment. */
  readonly attached = new Map<string, string>();

  async createNetwork({ network }: { readonly network: Network }): Promise<NetworkPlan> {
    const [unknown] = Object.keys(network.options).filter((name) => name !== 'colour');
    if (unknown !== undefined) throw invalidArgument(`unknown option ${unknown}`, { reason: 'OPTION_UNKNOWN' });
    this.networks.set(network.id, network);
    return { network, links: [{ kind: 'dummy', name: `mem-${network.id.slice(0, 11)}` }], masquerade: [] };
  }

  async removeNetwork({ network }: { readonly network: Network }): Promise<void> {
    this.networks.delete(network.id);
  }

  async attach({ network, endpoint }: AttachRequest): Promise<EndpointPlan> {
    this.attached.set(endpoint.attachmentId, network.id);
    const gateway = network.internal ? undefined : network.subnets[0]?.gateway;
    return {
      link: { kind: 'dummy', name: endpoint.ifname ?? 'eth%d' },
      ...(endpoint.mac === undefined ? {} : { mac: endpoint.mac }),
      addresses: endpoint.addresses,
      routes: gateway === undefined ? [] : [{ to: '0.0.0.0/0', via: gateway }],
      publishable: !network.internal,
      ...(gateway === undefined ? {} : { gateway }),
    };
  }

  async detach({ attachmentId }: DetachRequest): Promise<void> {
    this.attached.delete(attachmentId);
  }
}
