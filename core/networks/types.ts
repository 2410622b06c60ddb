/** What the life cycle asks of this room. */
import type { Abortable } from '@gantry/sdk';
import type { ContainerConfig, EndpointConfig, EndpointInfo, HostConfig, LinkStatistics, PublishedPorts } from '@gantry/sdk/engine';

export interface NetworkedContainer {
  readonly id: string;
  readonly name: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** Wishes by network name or id. */
  readonly networks: Readonly<Record<string, EndpointConfig>>;
  /** Path of the user namespace that owns its network namespace; absent: the machine's. */
  readonly userNamespace?: string;
}
export interface Sandbox {
  /** Path of the network namespace for the OCI spec; absent: the host's, unless `newNetns`. */
  readonly netnsPath?: string;
  /** The runtime makes one with nothing but loopback. */
  readonly newNetns?: boolean;
  readonly endpoints: readonly EndpointInfo[];
  readonly ports: PublishedPorts;
  /** Lines for /etc/hosts after the standard ones, and the whole /etc/resolv.conf. */
  readonly hostsEntries: readonly string[];
  readonly resolvConf: string;
  /** From links: NAME=value. */
  readonly env: readonly string[];
}
export interface ContainerNetworks {
  /**
   * Checks wishes that need no resources (modes, addresses, ports, links); `invalid_argument` names the culprit. Answers the networks that are
   * meant, the one of the mode included: what is recorded so can be told from what was disconnected.
   */
  validate(container: Pick<NetworkedContainer, 'name' | 'config' | 'hostConfig' | 'networks'>): NetworkedContainer['networks'];
  /** Everything a start needs; a failure undoes all of it. */
  setup(container: NetworkedContainer, options?: Abortable): Promise<Sandbox>;
  /**
   * Makes the published ports of a running container those of this `hostConfig`: what stays keeps its host port. A taken one is a `conflict`
   * that names who has it, and changes nothing. False: none of its networks publishes ports.
   */
  publish(container: NetworkedContainer): Promise<boolean>;
  /** Undoes setup; twice is fine. */
  teardown(containerId: string): Promise<void>;
  /** After an engine restart: takes over what a running container has; repairs DNS, port reservations, rules. */
  adopt(container: NetworkedContainer): Promise<Sandbox>;
  /** After the adoptions at start: takes away what the kernel, the books and the drivers have of containers that are not among these. */
  sweep(runningIds: ReadonlySet<string>): Promise<void>;
  /** New name in DNS at once. */
  renamed(containerId: string, name: string): void;
  /** The endpoints that inspect shows for a container, running or not. */
  endpoints(container: Pick<NetworkedContainer, 'id' | 'hostConfig' | 'networks'>): readonly EndpointInfo[];
  /** What of a running container is published where; connect and disconnect change it. */
  ports(container: Pick<NetworkedContainer, 'id' | 'config' | 'hostConfig'>): PublishedPorts;
  statistics(containerId: string): Readonly<Record<string, LinkStatistics>>;
}
/** What this room asks of the life cycle, for connect and disconnect. */
export interface NetworkUsers {
  /** The container by id, prefix or name; `not_found` otherwise. */
  find(container: string): NetworkedContainer & {
    readonly running: boolean;
    /** Of the first process, when it runs: whoever joins a namespace that the runtime made finds it by this. */
    readonly pid?: number;
    /** On this machine; there while the container runs. */
    readonly resolvConfPath: string;
  };
  /** Records changed wishes; the running container's endpoints are this room's. */
  setNetworks(containerId: string, networks: Readonly<Record<string, EndpointConfig>>): Promise<void>;
  /** Containers that name this network in their wishes, running or not. */
  usersOf(networkId: string, networkName: string): readonly { readonly id: string; readonly name: string; readonly running: boolean }[];
}
