// Made by `npm run generate` of proto/gantry/network/v1: change it there.
import type { ContractMethods, Ctx } from '../types/index.ts';

export interface Subnet {
  /** CIDR notation, host bits zero. */
  readonly cidr: string;
  readonly gateway?: string;
  readonly range?: string;
  readonly aux?: Readonly<Record<string, string>>;
}

/** Sent whole with every call: the driver keeps no copy and never calls back. */
export interface Network {
  readonly id: string;
  readonly name: string;
  readonly subnets: readonly Subnet[];
  readonly internal: boolean;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly attachable: boolean;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Link {
  readonly kind: 'bridge' | 'veth' | 'macvlan' | 'ipvlan' | 'vxlan' | 'vlan' | 'dummy' | 'existing' | 'none';
  /** Host side: at most 15 bytes. Endpoint side: the name inside the container, a trailing "%d" lets the engine number it ("eth%d"). */
  readonly name: string;
  readonly parent?: string;
  /** The bridge that the host end of a veth, or a network's vxlan, joins. */
  readonly master?: string;
  readonly mtu?: number;
  /** Addresses with prefix length. */
  readonly addresses?: readonly string[];
  /**
   * Kind-specific attributes: macvlan's and ipvlan's `mode`, ipvlan's `flag` (private, vepa); a veth's `isolated` ("1": its bridge passes
   * nothing to other isolated ports); a vlan's and vxlan's `id`; a vxlan's `local`, `group`, `port`, and `remotes` (addresses, with commas
   * between, that flooded packets go to).
   */
  readonly attrs?: Readonly<Record<string, string>>;
  /** Use it if it is there and leave it behind. */
  readonly existing?: boolean;
}

export interface Masquerade {
  readonly fromCidr: string;
  /** Packets that leave by this link are not touched. */
  readonly exceptOutLink: string;
  /** Source NAT to this address instead of the outgoing link's. */
  readonly toAddress?: string;
}

/** How packets of a bridge are filtered; the engine keeps them in sets and maps of its one nftables table. */
export interface Isolation {
  readonly bridge: string;
  /** Nothing leaves, nothing enters. */
  readonly internal: boolean;
  /** Containers on the same bridge may talk to each other. */
  readonly interContainer: boolean;
  readonly subnets: readonly string[];
  /** Subnets whose containers are reached by their own addresses, at their published ports, which are opened and not mapped. */
  readonly routedSubnets?: readonly string[];
  /** Subnets whose containers are reached by their own addresses at every port; published ports are mapped all the same. */
  readonly openSubnets?: readonly string[];
  /** Links of the host from which published ports are reached by the containers' own addresses, too. */
  readonly trustedLinks?: readonly string[];
}

export interface CreateNetworkRequest {
  readonly network: Network;
}

/** Executed, recorded and undone by the engine. */
export interface NetworkPlan {
  /** Normalised (defaults filled in); id and name unchanged. */
  readonly network: Network;
  readonly links: readonly Link[];
  readonly masquerade: readonly Masquerade[];
  readonly isolation?: Isolation;
  /** Loaded into a table of the plugin's own; needs the privilege `nftables`. */
  readonly rules?: readonly string[];
  /** Keys of net.ipv4 and net.ipv6 below conf.IFNAME or neigh.IFNAME, "IFNAME" standing for the first link's name; set before it is up. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Host address for published ports that name none; absent: every address. */
  readonly publishAddress?: string;
  readonly context?: Readonly<Record<string, string>>;
  /**
   * The programs that make this network's endpoints. Where the list is one of CNI 1.1.0 the engine asks them whether they are ready (STATUS), and tells
   * them which endpoints there are, so that they give up what others left (GC).
   */
  readonly cni?: Cni;
}

export interface RemoveNetworkRequest {
  readonly network: Network;
  readonly context?: Readonly<Record<string, string>>;
}

export interface PortMap {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Empty: every address of the family. */
  readonly hostIp: string;
  /** 0: the engine chooses one from ip_local_port_range. */
  readonly hostPort: number;
  readonly hostPortEnd?: number;
  readonly containerPort: number;
}

export interface ExposedPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly containerPort: number;
}

export interface Endpoint {
  readonly attachmentId: string;
  readonly containerId: string;
  readonly containerName: string;
  readonly hostname: string;
  readonly aliases: readonly string[];
  /** Wished name inside the container; absent: "eth%d". */
  readonly ifname?: string;
  readonly mac?: string;
  /** Addresses with prefix length, allocated by the IPAM driver before the call. */
  readonly addresses: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  /** Of the image and of --expose, published or not. */
  readonly exposedPorts?: readonly ExposedPort[];
  /** As users wish them published, on the network that is the container's way out. The engine maps them where the plan is `publishable`. */
  readonly ports?: readonly PortMap[];
  /** As users wish them, at most one of each family and without prefix length, where the driver gives out addresses itself. The plan has them, or the engine refuses it. */
  readonly wishedAddresses?: readonly string[];
}

export interface AttachRequest {
  readonly network: Network;
  readonly endpoint: Endpoint;
  readonly networkContext?: Readonly<Record<string, string>>;
}

export interface Route {
  readonly to: string;
  readonly via?: string;
  readonly metric?: number;
  readonly scope?: 'global' | 'link';
}

export interface Neighbour {
  readonly ip: string;
  readonly mac: string;
}

/**
 * An endpoint that programs of the Container Network Interface make. The engine runs them in the container's network namespace as the
 * specification says: ADD, CHECK after it was started again, DEL in reverse order in the end, also when the plugin is gone. They lie in a
 * folder that the manifest names in the privilege `cni`.
 */
export interface Cni {
  /** A network configuration list of CNI 0.3.1 to 1.1.0, as JSON text. */
  readonly config: string;
  /** CNI_ARGS. */
  readonly args?: Readonly<Record<string, string>>;
  /**
   * By capability its value as JSON text, for the programs whose configuration declares it. `portMappings` is the engine's to give: host
   * ports are taken, recorded and shown as those that it maps itself.
   */
  readonly capabilities?: Readonly<Record<string, string>>;
}

export interface EndpointPlan {
  /** `kind: 'none'`: the container gets no link here. */
  readonly link: Link;
  readonly mac?: string;
  readonly addresses: readonly string[];
  readonly routes: readonly Route[];
  readonly neighbours?: readonly Neighbour[];
  /** Keys below net., with "IFNAME" standing for the link's final name. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Published ports may be mapped to these addresses by the engine (DNAT). */
  readonly publishable: boolean;
  readonly gateway?: string;
  readonly gateway6?: string;
  readonly context?: Readonly<Record<string, string>>;
  /** With `link.kind: 'none'`, whose name is the interface's: addresses, routes and MAC address are what these programs answer. */
  readonly cni?: Cni;
}

export interface DetachRequest {
  readonly network: Network;
  readonly attachmentId: string;
  readonly context?: Readonly<Record<string, string>>;
  readonly netnsGone: boolean;
}

export interface CheckRequest {
  readonly network: Network;
  readonly attachmentId: string;
  readonly plan: EndpointPlan;
}

export interface CheckResponse {
  readonly problems: readonly string[];
}

export interface NetworkDriver {
  readonly features: readonly ('check' | 'publish')[];
  /**
   * How a container on this kind of network gets its network namespace: `own` (made by the engine, plans apply), `host` (the host's), or
   * `isolated` (own, loopback only).
   */
  readonly namespace: 'own' | 'host' | 'isolated';
  /** Whether the embedded DNS server at 127.0.0.11 serves containers on such (user-defined) networks. */
  readonly dns: boolean;
  /** Whether the engine must ask an IPAM driver for pools and addresses. */
  readonly ipam: boolean;
  createNetwork(request: CreateNetworkRequest, ctx: Ctx): Promise<NetworkPlan>;
  removeNetwork(request: RemoveNetworkRequest, ctx: Ctx): Promise<void>;
  attach(request: AttachRequest, ctx: Ctx): Promise<EndpointPlan>;
  detach(request: DetachRequest, ctx: Ctx): Promise<void>;
  check?(request: CheckRequest, ctx: Ctx): Promise<CheckResponse>;
}

export const networkMethods = {
  createNetwork: { deadline: 'normal', key: 'network' },
  removeNetwork: { deadline: 'normal', key: 'network' },
  attach: { deadline: 'normal' },
  detach: { deadline: 'normal', key: 'attachmentId' },
  check: { deadline: 'normal', feature: 'check' },
} as const satisfies Omit<ContractMethods<NetworkDriver>, 'features' | 'namespace' | 'dns' | 'ipam'>;
