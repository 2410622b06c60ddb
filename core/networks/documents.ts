import type { EndpointConfig, IpamConfig } from '@gantry/sdk/engine';
import type { EndpointPlan, NetworkPlan } from '@gantry/sdk/network';
import type { CniResult, CniWork } from '../execute/index.ts';

/** What is stored of a network: everything that inspect shows and that undo needs. */
export interface NetworkDocument {
  /** RFC 3339 with nanoseconds. */
  readonly created: string;
  readonly driver: string;
  /** Made by the engine itself, and not removable. */
  readonly isPredefined: boolean;
  /** Only kept for others to be made of. */
  readonly configOnly?: boolean;
  /** The name of the one that it was made of. */
  readonly configFrom?: string;
  readonly ipv4: boolean;
  readonly ipam: IpamConfig;
  readonly ipamDriver: string;
  readonly pools: readonly { readonly poolId: string; readonly cidr: string }[];
  /** Has the network as its driver normalised it. */
  readonly plan: NetworkPlan;
  /** The subnets come from the user: static addresses are allowed. */
  readonly hasUserSubnets: boolean;
}
export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly document: NetworkDocument;
}

export interface PublishedPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly containerPort: number;
  /** Each address that it is published on: "0.0.0.0" and "::" when no address was wished. */
  readonly hostIp: string;
  /** 0: its network is routed, so that it is opened at the container's own address. */
  readonly hostPort: number;
  /** The engine chose the host port. */
  readonly isChosen?: boolean;
}

/** What is stored of one container's use of one network, before any of it exists: undo starts from this alone. */
export interface EndpointDocument {
  readonly endpointId: string;
  /** The drivers' key, and the owner of the addresses. */
  readonly attachmentId: string;
  readonly containerName: string;
  readonly netnsPath: string;
  readonly config: EndpointConfig;
  readonly names: readonly string[];
  readonly addresses: readonly string[];
  /** Absent until the driver answered. */
  readonly plan?: EndpointPlan;
  readonly ifname: string;
  readonly mac: string;
  /** The container's published ports, on the endpoint that carries them. */
  readonly ports: readonly PublishedPort[];
  /** Of an endpoint that CNI plugins make: whose they are, where, and once it is made what they answered. */
  readonly cni?: { readonly plugin: string; readonly folders: readonly string[]; readonly result?: CniResult };
}
export interface EndpointRecord {
  readonly containerId: string;
  readonly networkId: string;
  readonly document: EndpointDocument;
}

/** What is stored of an endpoint that is gone, and that CNI plugins did not take back. */
export interface CniLeftover {
  readonly networkId: string;
  readonly work: CniWork;
}
