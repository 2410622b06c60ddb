import type { Logger } from '@gantry/sdk';
import type { ImageRetention } from './images/index.ts';
import type { ContainerDefaults } from './lifecycle/index.ts';
import type { PluginPolicy } from './plugin-host/index.ts';

/** Everything an engine can be told; all of it has a default. */
export interface EngineOptions {
  /** Images, containers, volumes: survives reboots. Default /var/lib/gantry. */
  readonly dataRoot?: string;
  /** Mounts, sockets, pid files: gone after a reboot. Default /run/gantry. */
  readonly execRoot?: string;
  /** Folders with plugins, each in a folder of its own with gantry-plugin.json; searched after the engine's own. */
  readonly pluginDirs?: readonly string[];
  /** Settings by plugin name. */
  readonly pluginSettings?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Where plugins run, by name or contract ("graph"), for those whose manifest allows it; default: ours in the engine's process, others in their own. */
  readonly pluginPlacement?: Readonly<Record<string, 'in-process' | 'worker' | 'process'>>;
  /** Times and budgets of supervision. */
  readonly pluginPolicy?: Partial<PluginPolicy>;
  /** Folder in each cgroup tree for plugins' processes; default "gantry-plugins". */
  readonly pluginCgroup?: string;
  /** Authz drivers that must allow every request to a front end, in this order; default: none. */
  readonly authorizationPlugins?: readonly string[];
  /** Registries that may be spoken to without TLS: host, host:port, or CIDR. Loopback always may. */
  readonly insecureRegistries?: readonly string[];
  /** Mirrors of Docker Hub, like https://mirror:5000, the best first. */
  readonly registryMirrors?: readonly string[];
  /** How often a download is tried. */
  readonly downloadAttempts?: number;
  /** Proxies to reach registries by, like http://proxy:3128; in `none` hosts, .domains and networks that are reached without, with commas. */
  readonly proxies?: { readonly http?: string; readonly https?: string; readonly none?: string };
  /** Graph driver for new images and containers; default: the best that works here. */
  readonly storageDriver?: string;
  /** Of graph drivers, whose names they begin with: "btrfs.min_space". Each looks at its own. */
  readonly storageOptions?: Readonly<Record<string, string>>;
  /** Log driver and options for containers that name none. */
  readonly logDriver?: string;
  readonly logOptions?: Readonly<Record<string, string>>;
  /** OCI runtime of containers that name none; default: the first that works. */
  readonly defaultRuntime?: string;
  /** Further OCI runtimes by name. */
  readonly runtimes?: Readonly<Record<string, { readonly path: string; readonly runtimeArgs?: readonly string[] }>>;
  /** What containers get that leave it open. */
  readonly containerDefaults?: ContainerDefaults;
  /** When images that no container uses are removed; default: never. */
  readonly imageRetention?: ImageRetention;
  /** Labels of the engine, "key=value". */
  readonly labels?: readonly string[];
  /** Subnets of networks that name none: each base is cut into pieces with a prefix of `size` bits. */
  readonly addressPools?: readonly { readonly base: string; readonly size: number }[];
  /** Options of networks that leave them open, by driver. */
  readonly networkOptions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** What "host-gateway" stands for in a container's extra hosts; default: the container's gateway. */
  readonly hostGatewayIps?: readonly string[];
  /** DNS servers, search domains and options for containers that name none. */
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOptions?: readonly string[];
  /** Address to publish ports on when the container names none; default 0.0.0.0 and ::. */
  readonly publishAddress?: string;
  /** The default bridge's address with prefix length, "192.168.9.1/24"; default: the first free pool. */
  readonly bridgeCidr?: string;
  /** Of bridges that name none, in bytes. */
  readonly mtu?: number;
  /** Whether containers on the default bridge may talk to each other; default true. */
  readonly interContainer?: boolean;
  /** Published ports are served by the engine, so that the machine's firewall for what comes to itself counts; default false: the kernel maps them. */
  readonly userlandProxy?: boolean;
  /** Only shown: the logger decides what is logged. */
  readonly debug?: boolean;
  readonly log?: Logger;
}

export const defaultRoots = { dataRoot: '/var/lib/gantry', execRoot: '/run/gantry' } as const;

/** An engine that is embedded says nothing unless it is given a logger. */
export const silentLog: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLog };
