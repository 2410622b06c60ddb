/** Networks as users see them. */
import type { EndpointConfig } from './config.ts';
import type { Filtered } from './filters.ts';
export interface IpamSubnet {
  readonly Subnet?: string;
  readonly IPRange?: string;
  readonly Gateway?: string;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>>;
}
export interface IpamConfig {
  readonly Driver?: string;
  readonly Options?: Readonly<Record<string, string>> | null;
  readonly Config?: readonly IpamSubnet[] | null;
}
export interface NetworkInfo {
  readonly id: string;
  readonly name: string;
  readonly created: string;
  readonly driver: string;
  readonly scope: 'local' | 'global';
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly ipam: IpamConfig;
  readonly internal: boolean;
  readonly attachable: boolean;
  /** Kept for others to be made of: no container can be on it. */
  readonly configOnly: boolean;
  /** The name of the one that it was made of, or empty. */
  readonly configFrom: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** By container id; running ones only. */
  readonly containers: Readonly<
    Record<
      string,
      { readonly name: string; readonly endpointId: string; readonly macAddress: string; readonly ipv4: string; readonly ipv6: string }
    >
  >;
}
export interface CreateNetwork {
  readonly name: string;
  readonly driver?: string;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly configOnly?: boolean;
  /** Of a network that is `configOnly`: subnets, options and labels are its. */
  readonly configFrom?: string;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly ipam?: IpamConfig;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}
export interface Networks {
  create(request: CreateNetwork): Promise<{ readonly id: string; readonly warning: string }>;
  inspect(network: string): NetworkInfo;
  list(request: Filtered): readonly NetworkInfo[];
  connect(network: string, container: string, config: EndpointConfig): Promise<void>;
  disconnect(network: string, container: string, options: { readonly force: boolean }): Promise<void>;
  remove(network: string): Promise<void>;
  prune(request: Filtered): Promise<{ readonly deleted: readonly string[] }>;
}
