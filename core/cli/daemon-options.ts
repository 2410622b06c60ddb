import type { MissingRemapUser } from './daemon/remap-user.ts';
import type { IdRange } from './daemon/subordinate-ids.ts';

/**
 * What gantryd was told by its flags and daemon.json together. The names of what the engine takes are those of EngineOptions,
 * so that a whole DaemonOptions can be handed to createEngine().
 */
export interface DaemonOptions {
  /** Where the API is served; at least one. Checked: unix:///path, fd://, tcp://host:port, metrics://host:port. */
  readonly hosts: readonly string[];
  /** Of tcp hosts, which there are only with it. */
  readonly tls?: { readonly caFile: string; readonly certFile: string; readonly keyFile: string };
  /** Group that may use the sockets. */
  readonly group: string;
  readonly pidfile?: string;
  /** As it was read; it may not be there unless it was named by a flag. */
  readonly configFile: string;
  readonly debug: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  /** The engine ends by itself after so long without containers, requests and connections; absent: never. */
  readonly idleExitSeconds?: number;
  readonly shutdownTimeoutSeconds: number;

  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pluginDirs: readonly string[];
  /** By plugin name, from daemon.json's "plugins". */
  readonly pluginSettings: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** By plugin name or kind. */
  readonly pluginPlacement: Readonly<Record<string, 'in-process' | 'worker' | 'process'>>;
  /** Authz drivers that must allow every request, in this order. */
  readonly authorizationPlugins: readonly string[];
  readonly storageDriver?: string;
  readonly storageOptions: Readonly<Record<string, string>>;
  /** When images that no container uses are removed. */
  readonly imageRetention?: { readonly unusedForMs?: number; readonly aboveDiskPercent?: number };
  readonly logDriver?: string;
  readonly logOptions: Readonly<Record<string, string>>;
  readonly defaultRuntime?: string;
  readonly runtimes: Readonly<Record<string, { readonly path: string; readonly runtimeArgs?: readonly string[] }>>;
  readonly labels: readonly string[];
  readonly liveRestore: boolean;
  /** What containers get that leave it open. */
  readonly containerDefaults: {
    readonly shmSizeBytes?: number;
    readonly ipcMode?: 'private' | 'shareable';
    readonly cgroupnsMode?: 'private' | 'host';
    readonly cgroupParent?: string;
    readonly ulimits?: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
    readonly init?: boolean;
    readonly initPath?: string;
    readonly noNewPrivileges?: boolean;
    /** Of `userns-remap`. */
    readonly idMaps?: { readonly uids: readonly IdRange[]; readonly gids: readonly IdRange[] };
    readonly cdiFolders?: readonly string[];
    /** "builtin", "unconfined", or the JSON of a profile. */
    readonly seccompProfile?: string;
  };
  /** What `userns-remap=default` needs and the machine lacks: it is made when the engine starts. */
  readonly remapUser?: MissingRemapUser;
  readonly addressPools?: readonly { readonly base: string; readonly size: number }[];
  /** By network driver. */
  readonly networkOptions: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly hostGatewayIps: readonly string[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly publishAddress?: string;
  readonly bridgeCidr?: string;
  readonly mtu?: number;
  readonly interContainer?: boolean;
  readonly userlandProxy?: boolean;
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  readonly downloadAttempts?: number;
  readonly proxies: { readonly http?: string; readonly https?: string; readonly none?: string };

  /** Settings that were accepted and have no effect here: to be logged once. */
  readonly notes: readonly string[];
}
