/** What every room may ask for when it needs a driver. */
import type { DriverKind, DriverKinds } from '@gantry/sdk';
import type { HelperUser, MountGrants } from '@gantry/sdk/mounts';

/** What a plugin was granted, and where its own files are: the executor checks every description against it. */
export interface Grants extends MountGrants {
  readonly nftables: boolean;
  /** Links that were there before it, which a container may be given or a link lie on; not unless given. */
  readonly hostLinks?: boolean;
  /** OCI runtimes with their arguments, as one text each; none unless given. */
  readonly runtimes?: readonly string[];
  /** Folders with CNI programs that the engine may run for it; none unless given. */
  readonly cni?: readonly string[];
  /** Whom the helpers of its mounts run as, and within what; absent: it has none. */
  readonly helpers?: HelperGrants;
  /** Options of the driver's kind that are kept apart and never shown; none unless given. */
  readonly secretOptions?: readonly string[];
  /** Told when an object that the plugin said it has is not there when it is to be used, and when it was used. */
  readonly onMissing?: (kind: 'volume', id: string, detail: string | undefined) => void;
}
/** They see its code, to read. */
export interface HelperGrants extends HelperUser {
  readonly network: 'none' | 'host';
  readonly resources: { readonly memoryBytes: number; readonly pids: number; readonly cpus?: number };
}
export interface Drivers {
  /**
   * The driver behind its guard (deadline, abort, error mapping, serialisation by key); its plugin is started when it is not yet.
   * Unknown name: `not_found` at once, naming what is installed.
   */
  get<Kind extends DriverKind>(kind: Kind, name: string): Promise<DriverKinds[Kind]>;
  has(kind: DriverKind, name: string): boolean;
  /** Installed driver names of a kind, sorted, started or not. */
  names(kind: DriverKind): readonly string[];
  grants(kind: DriverKind, name: string): Grants;
  /** The usable driver with the highest priority in its manifest, tried once by its `probe`; `unavailable` says why each was skipped. */
  preferred(kind: DriverKind): Promise<string>;
}
