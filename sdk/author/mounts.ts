import { invalidArgument } from '../errors.ts';
import type { HelperPath, Mount, Path } from '../types/index.ts';

/** A path below the plugin's data folder, or a place of another kind. */
export type Place = string | Path;
type Options = readonly string[];

/** Builders of mounts that the engine will accept: options one by one, no paths in them, an overlay with both or neither of upper and work. */
export const mount = {
  bind,
  overlay,
  tmpfs: ({ size, mode, options = [] }: { readonly size?: string; readonly mode?: string; readonly options?: Options } = {}): Mount =>
    described('tmpfs', { opaque: 'tmpfs' }, [
      ...(size === undefined ? [] : [`size=${size}`]),
      ...(mode === undefined ? [] : [`mode=${mode}`]),
      ...options,
    ]),
  /** `server:/export`. The engine looks the server's name up: the kernel takes addresses. */
  nfs4: (source: string, options: Options = [], readOnly = false): Mount => described('nfs4', { opaque: source }, options, readOnly),
  nfs: (source: string, options: Options = [], readOnly = false): Mount => described('nfs', { opaque: source }, options, readOnly),
  /** `//server/share` */
  cifs: (source: string, options: Options = [], readOnly = false): Mount => described('cifs', { opaque: source }, options, readOnly),
  ext4: (source: Place, options: Options = [], readOnly = false): Mount => described('ext4', placeOf(source), options, readOnly),
  xfs: (source: Place, options: Options = [], readOnly = false): Mount => described('xfs', placeOf(source), options, readOnly),
  btrfs: (source: Place, options: Options = [], readOnly = false): Mount => described('btrfs', placeOf(source), options, readOnly),
  erofs: (source: Place, options: Options = []): Mount => described('erofs', placeOf(source), options, true),
  squashfs: (source: Place, options: Options = []): Mount => described('squashfs', placeOf(source), options, true),
  zfs: (dataset: string, options: Options = [], readOnly = false): Mount => described('zfs', { opaque: dataset }, options, readOnly),
  /**
   * The engine mounts, and runs the helper without privileges as long as the mount lives, whatever becomes of the plugin. In argv `{fd}` is where the helper finds
   * the mount, `{file:NAME}` and `{path:NAME}` where it sees what is in `files` and `paths`. It must stay in the foreground (`-f`).
   */
  fuse: ({
    argv,
    env,
    files,
    paths,
    capabilities,
    readyTimeoutMs,
    options = [],
    readOnly = false,
    source = argv[0],
  }: FuseMount): Mount => ({
    ...described('fuse', { opaque: source }, options, readOnly),
    helper: {
      argv: argv.map((word) => word.replaceAll('{fd}', '/dev/fd/3')),
      ...(env === undefined ? {} : { env }),
      ...(files === undefined ? {} : { files: mapped(files, (file) => (typeof file === 'string' ? Buffer.from(file) : file)) }),
      ...(paths === undefined ? {} : { paths: mapped(paths, helperPath) }),
      ...(capabilities === undefined ? {} : { capabilities }),
      ...(readyTimeoutMs === undefined ? {} : { readyTimeoutMs }),
    },
  }),
} as const;

interface FuseMount {
  readonly argv: readonly [string, ...string[]];
  /** "NAME=value" */
  readonly env?: readonly string[];
  /** Small files that the helper alone sees: keys, passwords, configuration. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
  /** What it works on; a string is below the plugin's data folder. */
  readonly paths?: Readonly<Record<string, Place | { readonly path: Place; readonly readOnly: boolean }>>;
  /** Of those that the manifest asks for. */
  readonly capabilities?: readonly string[];
  readonly readyTimeoutMs?: number;
  readonly options?: Options;
  readonly readOnly?: boolean;
  /** What lists of mounts show; the program unless given. */
  readonly source?: string;
}
interface OverlayOptions {
  /** Nearest layer first, at least one. */
  readonly lower: readonly Place[];
  readonly options?: Options;
}

export function bind(source: Place, mode: 'rw' | 'ro' = 'rw'): Mount {
  return described('bind', placeOf(source), [], mode === 'ro');
}

/** Without `upper` and `work` it is read-only; one without the other does not type-check. */
export function overlay(folders: OverlayOptions & { readonly upper: Place; readonly work: Place }): Mount;
export function overlay(folders: OverlayOptions & { readonly upper?: never; readonly work?: never }): Mount;
export function overlay({
  lower,
  upper,
  work,
  options = wholeCopies,
}: OverlayOptions & { readonly upper?: Place; readonly work?: Place }): Mount {
  if (lower.length === 0) throw invalidArgument('an overlay needs a lower folder: bind shows one folder alone');
  return {
    ...described('overlay', { opaque: 'overlay' }, options, upper === undefined),
    overlay: {
      lower: lower.map(placeOf),
      ...(upper === undefined || work === undefined ? {} : { upper: placeOf(upper), work: placeOf(work) }),
    },
  };
}

/** A place on the machine, which a privilege has to cover. */
export const hostPath = (path: string): Path => ({ host: path });
export const device = (path: string): Path => ({ device: path });

/** Folders that moved and metadata that changed are copied up whole, so that the upper folder alone says everything that changed. */
const wholeCopies: Options = ['index=off', 'redirect_dir=off', 'metacopy=off'];

function described(type: string, source: Path, options: Options, readOnly = false): Mount {
  for (const option of options) {
    if (option === '' || /[,\n\0]/.test(option)) throw invalidArgument(`mount option ${JSON.stringify(option)} is not one option`);
  }
  return { type, source, ...(options.length === 0 ? {} : { options }), ...(readOnly ? { readOnly } : {}) };
}

function helperPath(given: Place | { readonly path: Place; readonly readOnly: boolean }): HelperPath {
  return typeof given === 'object' && 'path' in given
    ? { path: placeOf(given.path), readOnly: given.readOnly }
    : { path: placeOf(given), readOnly: false };
}

function mapped<From, To>(record: Readonly<Record<string, From>>, convert: (value: From) => To): Readonly<Record<string, To>> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, convert(value)]));
}

function placeOf(place: Place): Path {
  return typeof place === 'string' ? { data: place } : place;
}
