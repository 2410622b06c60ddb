/** What other rooms may ask of this one. */
import type { Change, PathStat, SizeInfo } from '@gantry/sdk/engine';
import type { Abortable } from '@gantry/sdk';
import type { IdMaps } from '@gantry/sdk/linux';

/** A mounted or mountable tree and the way back. */
export interface Rootfs extends AsyncDisposable {
  readonly path: string;
}

/** How a tree is shown. */
export interface ShowOptions extends Abortable {
  /** Shows owners by these. */
  readonly idMaps?: IdMaps | undefined;
}

/** The writable layers of containers. Every method may be called again; the second call finds the work done. */
export interface ContainerLayers {
  /**
   * Makes the writable layer on top of the image's layers, with the init layer (mount points and stub files that the runtime needs,
   * shared by all containers of the same image) between them. Durable with the next durable transaction, which is the container's own.
   */
  create(
    containerId: string,
    options: { readonly chainIds: readonly string[]; readonly graphDriver: string; readonly quotaBytes?: number } & Abortable,
  ): Promise<void>;
  /**
   * Mounts the container's root file system and answers its path; mounted already: the same path. `ephemeral`: what is written need not
   * survive a power cut, so nothing waits for the disk where the graph driver can do that.
   */
  mount(containerId: string, options?: { readonly ephemeral?: boolean } & Abortable): Promise<string>;
  unmount(containerId: string): Promise<void>;
  /** Why its root shows nothing any more: the helper of its mount ended. */
  brokenRoot(containerId: string): string | undefined;
  /** Unmounts and deletes; unknown: nothing. */
  remove(containerId: string): Promise<void>;
  /** The root file system for as long as the caller holds it, mounted or not before, whether the container runs or not. */
  borrow(containerId: string, options?: Abortable): Promise<Rootfs>;
  changes(containerId: string, options?: Abortable): Promise<readonly Change[]>;
  size(containerId: string, options?: Abortable): Promise<SizeInfo>;
  /** Driver name and its facts, e.g. overlay2's MergedDir, UpperDir. */
  describe(containerId: string): { readonly graphDriver: string; readonly graphData: Readonly<Record<string, string>> };
}

/** Trees as tars, made in a thread that is chrooted into the tree. A tree whose owners are mapped is packed and unpacked with those that its container knows. */
export interface Archives {
  /** Tar of everything below `root` (a mounted tree), for export. */
  pack(
    root: string,
    options: { readonly path?: string; readonly rebase?: string; readonly idMaps?: IdMaps | undefined } & Abortable,
  ): AsyncIterable<Buffer>;
  /** Unpacks a client's tar below `root`/`path` (docker cp). */
  unpack(
    root: string,
    path: string,
    tar: AsyncIterable<Buffer>,
    options: { readonly noOverwriteDirNonDir: boolean; readonly copyUidGid: boolean; readonly idMaps?: IdMaps | undefined } & Abortable,
  ): Promise<void>;
  /** Facts of one path, resolved inside `root`; follows links as docker cp does: the last component is not followed. */
  stat(root: string, path: string): Promise<PathStat>;
  /** Copies the content, ownership and modes of a folder in `root` into `target` when `target` is empty (a volume's first use). With `keepsRoot` the target's own stay. */
  copyUp(root: string, path: string, target: string, options?: { readonly keepsRoot?: boolean } & Abortable): Promise<void>;
}
