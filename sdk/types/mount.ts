/**
 * Shapes that several contracts share. A driver returns these as data; the engine checks them against what the plugin was granted,
 * executes them, records them and undoes them.
 */

/**
 * A place, always relative to a named root, never to "the plugin's own file system".
 * - `data`: below the plugin's data folder (the same absolute path for the plugin and the engine);
 * - `host`: an absolute host path, covered by a granted privilege;
 * - `device`: a path below /dev, covered by a granted privilege;
 * - `opaque`: not a path: "server:/export", a zfs dataset, "tmpfs";
 * - `mount`: the result of an earlier entry of the same list, by index.
 * `subpath` is resolved with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS (openat2(2)).
 */
export type Path = (
  | { readonly data: string }
  | { readonly host: string }
  | { readonly device: string }
  | { readonly opaque: string }
  | { readonly mount: number }
) & { readonly subpath?: string };

export interface Overlay {
  /** Nearest layer first, as in overlayfs' lowerdir. */
  readonly lower: readonly Path[];
  readonly upper?: Path;
  readonly work?: Path;
}

/** A process that the engine runs for a FUSE mount: /dev/fuse is its descriptor 3, it has no capabilities and its own cgroup. */
export interface Helper {
  readonly argv: readonly string[];
  readonly env?: readonly string[];
  readonly readyTimeoutMs?: number;
}

/** One mount(2), as a description. Options are in fstab style and never contain paths. */
export interface Mount {
  readonly type: string;
  readonly source: Path;
  readonly options?: readonly string[];
  readonly overlay?: Overlay;
  readonly helper?: Helper;
  /** A path below the attachment's root, usually absent. */
  readonly target?: string;
  readonly readOnly?: boolean;
}

/** One use of a snapshot or a volume by one consumer. */
export interface Attachment {
  readonly mounts: readonly Mount[];
  /** Opaque to the engine, handed back on detach; at most 4 KiB as JSON. */
  readonly context?: Readonly<Record<string, string>>;
  /** Further attachments of the same object may share this mount. */
  readonly shareable?: boolean;
}

export interface Usage {
  readonly bytes: number;
  readonly inodes?: number;
  /** 0 or absent when the back end has no limit. */
  readonly capacity?: number;
}

export interface IdMap {
  readonly container: number;
  readonly host: number;
  readonly size: number;
}
