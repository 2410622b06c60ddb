// Made by `npm run generate` of proto/gantry/types/v1: change it there.

/**
 * A place, always relative to a named root, never to "the plugin's own file system".
 * `subpath` is resolved with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS (openat2(2)).
 */
export type Path =
  /** Below the plugin's data folder (the same absolute path for the plugin and the engine). */
  (
    | { readonly data: string }
    /** An absolute host path, covered by a granted privilege. */
    | { readonly host: string }
    /** A path below /dev, covered by a granted privilege. */
    | { readonly device: string }
    /** Not a path: "server:/export", a zfs dataset, "tmpfs". */
    | { readonly opaque: string }
    /** The result of an earlier entry of the same list, by index. */
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
  /**
   * What may be written through the mount, for an overlay with an upper folder or a bind mount of a data folder: the engine sets a project quota
   * (quotactl(2)) on these folders before it mounts, where their file system has them, and refuses otherwise. 0 lifts an earlier limit.
   */
  readonly quotaBytes?: number;
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

/** What went wrong, in the trailer `grpc-status-details-bin`; the same bytes as google.rpc.Status. */
export interface ErrorStatus {
  readonly code: number;
  readonly message: string;
  readonly details: readonly ErrorDetail[];
}

/** The same bytes as google.protobuf.Any. `type_url` is type.googleapis.com/google.rpc.ErrorInfo for the one detail that is always there. */
export interface ErrorDetail {
  readonly typeUrl: string;
  readonly value: Buffer;
}

/** The same bytes as google.rpc.ErrorInfo. `metadata` has `hint` for people, and `retryAfterMs`. */
export interface ErrorInfo {
  /** Within a contract, e.g. VOLUME_BUSY; part of the contract. */
  readonly reason: string;
  /** "gantry.dev" */
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
}
