/** What a plugin was granted of mounts, and where its own files are: every description is checked against it. */
export interface MountGrants {
  readonly plugin: string;
  readonly dataDir: string;
  /** Beside bind, overlay and tmpfs. */
  readonly mountTypes: readonly string[];
  readonly hostPaths: readonly string[];
  readonly devices: readonly string[];
  /** Whom the helpers of its mounts run as; absent: it has none. */
  readonly helpers?: HelperUser;
  /** Told when something described goes beyond the grant, or is not what the contract allows. */
  readonly onViolation?: (what: string) => void;
}
export interface HelperUser {
  /** Programs that begin with "./" are in it. */
  readonly codeDir: string;
  readonly uid: number;
  /** "CAP_CHOWN", …, or "ALL": what they may ask for. */
  readonly capabilities: readonly string[];
}

/** A described helper after the checks: what to start, with which files. */
export interface CheckedHelper {
  /** For people. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  readonly capabilities: readonly string[];
  readonly readyTimeoutMs: number;
}
/** Who runs the helpers of mounts: an engine, or a plugin that stands alone. */
export interface HelperRunner {
  /** Called before the mount that it is for is made. */
  begin(facts: { readonly target: string; readonly plugin: string; readonly program: string }): HelperRun;
  /** Ends the helpers of the mounts at and below a path, which are not mounted any more: they end by themselves, and are killed after `waitMs`. */
  end(target: string, options?: { readonly waitMs?: number }): Promise<void>;
}
/** One helper, from its beginning. */
export interface HelperRun {
  /** Resolves as soon as it runs. `device` is /dev/fuse, its descriptor 3; `places` are detached mounts that it sees at these paths. Both stay the caller's. */
  start(start: HelperStart): Promise<void>;
  /** How it ended and what it printed last, for an error; undefined: it runs. */
  causeOfEnd(): string | undefined;
}
export interface HelperStart {
  readonly helper: CheckedHelper;
  readonly device: number;
  readonly places: readonly { readonly path: string; readonly tree: number }[];
  readonly signal: AbortSignal;
}

/** Programs that do what may hang, in processes that can be killed: the beginning of each one's command line. */
export interface MountTools {
  /** Then as mount(8): `-i -t TYPE [-o OPTIONS] -- FROM TARGET`. */
  readonly mount: readonly string[];
  /** Then a path: exits with 0 when its file system answers. */
  readonly statfs: readonly string[];
}
