import { Rtnetlink } from '@gantry/sdk/linux';
import { type DockerMethod, Refusal } from './docker-plugin.ts';

interface NetworkFacts {
  readonly gateway: string;
  readonly endpoints: Map<string, string>;
}

/** A whole network plugin as people write them for Docker: one bridge for each network, a veth for each endpoint, made by itself. */
export class DockerNetworkPlugin implements Disposable {
  readonly #networks = new Map<string, NetworkFacts>();
  readonly #kernel = Rtnetlink.open();
  /** What `CreateNetwork` and `CreateEndpoint` were last told. */
  lastNetwork: unknown;
  lastEndpoint: unknown;

  readonly methods: Readonly<Record<string, DockerMethod>> = {
    'NetworkDriver.GetCapabilities': () => ({ Scope: 'local', ConnectivityScope: 'local' }),
    'NetworkDriver.CreateNetwork': (body) => this.#createNetwork(body),
    'NetworkDriver.DeleteNetwork': ({ NetworkID }) => this.#deleteNetwork(String(NetworkID)),
    'NetworkDriver.CreateEndpoint': (body) => this.#createEndpoint(body),
    'NetworkDriver.Join': ({ NetworkID, EndpointID }) => this.#join(String(NetworkID), String(EndpointID)),
    'NetworkDriver.Leave': ({ NetworkID, EndpointID }) => {
      this.#endpoint(String(NetworkID), String(EndpointID));
      return {};
    },
    'NetworkDriver.DeleteEndpoint': ({ NetworkID, EndpointID }) => this.#deleteEndpoint(String(NetworkID), String(EndpointID)),
  };

  /** As a plugin that was started anew and kept nothing. */
  forget(): void {
    this.#networks.clear();
  }

  [Symbol.dispose](): void {
    this.#kernel[Symbol.dispose]();
  }

  #createNetwork(body: Readonly<Record<string, unknown>>): object {
    this.lastNetwork = body;
    const id = String(body['NetworkID']);
    if (this.#networks.has(id)) throw new Refusal(`network ${id} already exists`);
    const [data] = body['IPv4Data'] as readonly { readonly Gateway: string }[];
    if (data === undefined) throw new Refusal('no IPv4 data');
    const index = this.#kernel.linkAdd(bridgeOf(id), { kind: 'bridge' }, { up: true });
    this.#kernel.addressAdd({ link: index, address: data.Gateway });
    this.#networks.set(id, { gateway: data.Gateway.replace(/\/.*/, ''), endpoints: new Map() });
    return {};
  }

  #deleteNetwork(id: string): object {
    this.#network(id);
    this.#kernel.linkDelete(bridgeOf(id));
    this.#networks.delete(id);
    return {};
  }

  #createEndpoint(body: Readonly<Record<string, unknown>>): object {
    this.lastEndpoint = body;
    const { endpoints } = this.#network(String(body['NetworkID']));
    const id = String(body['EndpointID']);
    if (endpoints.has(id)) throw new Refusal(`endpoint ${id} already exists`);
    endpoints.set(id, `in${id.slice(0, 8)}`);
    const { MacAddress } = body['Interface'] as { readonly MacAddress: string };
    return { Interface: MacAddress === '' ? { MacAddress: '02:42:00:00:00:07' } : {} };
  }

  #join(networkId: string, id: string): object {
    const source = this.#endpoint(networkId, id);
    const bridge = this.#kernel.linkGet(bridgeOf(networkId))?.index ?? 0;
    this.#kernel.linkAdd(`out${id.slice(0, 8)}`, { kind: 'veth', peer: { name: source } }, { up: true, master: bridge });
    const { gateway } = this.#network(networkId);
    return {
      InterfaceName: { SrcName: source, DstPrefix: 'lan' },
      Gateway: gateway,
      StaticRoutes: [
        { Destination: '10.99.0.0/16', RouteType: 0, NextHop: gateway },
        { Destination: '10.98.0.0/16', RouteType: 1 },
      ],
    };
  }

  #deleteEndpoint(networkId: string, id: string): object {
    this.#endpoint(networkId, id);
    this.#kernel.linkDelete(`out${id.slice(0, 8)}`);
    this.#network(networkId).endpoints.delete(id);
    return {};
  }

  #network(id: string): NetworkFacts {
    const found = this.#networks.get(id);
    if (found === undefined) throw new Refusal(`no network with id ${id}: not found`);
    return found;
  }

  #endpoint(networkId: string, id: string): string {
    const found = this.#network(networkId).endpoints.get(id);
    if (found === undefined) throw new Refusal(`endpoint ${id} not found`);
    return found;
  }
}

export function bridgeOf(networkId: string): string {
  return `dp${networkId.slice(0, 10)}`;
}
