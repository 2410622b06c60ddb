import { posix } from 'node:path';
import { invalidArgument } from '@gantry/sdk';
import type { ContainerConfig, HostConfig, MountSpec } from '@gantry/sdk/engine';
import { driverName } from '../../drivers/index.ts';
import { ownIdMap, parseIdMaps } from './id-maps.ts';

/** One mount that a container asks for, whichever of the four ways it was asked. */
export interface WantedMount {
  readonly type: MountSpec['Type'];
  /** Host path, volume name (empty: anonymous), or image reference. */
  readonly source: string;
  /** Absolute and clean. */
  readonly destination: string;
  readonly readOnly: boolean;
  /** As the user wrote it: "ro,z". */
  readonly mode: string;
  readonly propagation: string;
  /** Bind without the mounts below it. */
  readonly nonRecursive: boolean;
  /** Of a read-only bind: whether the mounts below it are read-only too, if possible unless `force`. */
  readonly recursiveReadOnly?: 'try' | 'force' | 'off';
  /** `parseIdMaps` reads it; empty: owners are seen as they are. */
  readonly idMaps?: string;
  readonly noCopy: boolean;
  /** The bind source is made when missing (`-v` does, `--mount` does not). */
  readonly createSource: boolean;
  readonly subpath: string;
  readonly driver: string;
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** tmpfs options without size and mode. */
  readonly tmpfs: readonly string[];
}

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];

/** All mounts of a container in the order given; the later of `Volumes` gives way. `invalid_argument` names the specification. */
export function wantedMounts(config: Pick<ContainerConfig, 'Volumes'>, hostConfig: HostConfig): readonly WantedMount[] {
  const asked = [
    ...(hostConfig.Binds ?? []).map((text) => parseBind(text, hostConfig.VolumeDriver ?? '')),
    ...(hostConfig.Mounts ?? []).map((spec) => fromSpec(spec)),
    ...Object.entries(hostConfig.Tmpfs ?? {}).map(([path, options]) => parseTmpfs(path, options)),
  ];
  const taken = new Set<string>();
  for (const { destination } of asked) {
    if (taken.has(destination)) throw invalidArgument(`Duplicate mount point: ${destination}`);
    taken.add(destination);
  }
  const anonymous = Object.keys(config.Volumes ?? {})
    .map((path) => ({
      ...plain,
      type: 'volume' as const,
      destination: checkDestination(path, 'volume', `invalid volume specification: '${path}': `),
      driver: hostConfig.VolumeDriver ?? '',
    }))
    .filter(({ destination }) => !taken.has(destination));
  return [...asked, ...anonymous];
}

const plain = {
  source: '',
  readOnly: false,
  mode: '',
  propagation: '',
  nonRecursive: false,
  recursiveReadOnly: 'try',
  idMaps: '',
  noCopy: false,
  createSource: false,
  subpath: '',
  driver: '',
  driverOptions: {},
  labels: {},
  tmpfs: [],
} as const satisfies Partial<WantedMount>;

/** SRC:DST[:MODE], where SRC is an absolute path or a volume name, or DST alone. */
function parseBind(text: string, volumeDriver: string): WantedMount {
  const parts = text.split(':');
  if (text === '' || parts.length > 3 || parts.some((part) => part === ''))
    throw invalidArgument(`invalid volume specification: '${text}'`);
  const [first = '', second, mode = ''] = parts;
  const source = second === undefined ? '' : first;
  const type = source.startsWith('/') ? 'bind' : 'volume';
  if (type === 'volume' && source !== '') checkVolumeName(source);
  const destination = checkDestination(second ?? first, type, `invalid volume specification: '${text}': `);
  return {
    ...plain,
    type,
    source: type === 'bind' ? posix.normalize(source) : source,
    destination,
    createSource: true,
    driver: type === 'volume' ? volumeDriver : '',
    ...parseMode(mode, type),
  };
}

function parseMode(mode: string, type: 'bind' | 'volume'): Pick<WantedMount, 'mode' | 'readOnly' | 'propagation' | 'noCopy' | 'idMaps'> {
  const words = mode === '' ? [] : mode.split(',');
  const kinds = words.map((word) => modeKind(word, type));
  if (kinds.includes(undefined) || new Set(kinds).size < kinds.length) throw invalidArgument(`invalid mode: ${mode}`);
  return {
    mode,
    readOnly: words.includes('ro'),
    propagation: words.find((word) => propagations.includes(word)) ?? '',
    noCopy: words.includes('nocopy'),
    idMaps: checkedIdMaps(words.find((word) => isIdMap(word))?.replace(/^idmap=?/, '')),
  };
}

const isIdMap = (word: string): boolean => word === 'idmap' || word.startsWith('idmap=');

function checkedIdMaps(text: string | undefined): string {
  if (text === '') return ownIdMap;
  if (text !== undefined) parseIdMaps(text);
  return text ?? '';
}

function modeKind(word: string, type: 'bind' | 'volume'): string | undefined {
  if (word === 'ro' || word === 'rw') return 'write';
  if (word === 'z' || word === 'Z') return 'label';
  if (isIdMap(word)) return 'idmap';
  if (type === 'bind' && propagations.includes(word)) return 'propagation';
  if (type === 'volume' && word === 'nocopy') return 'copy';
  return ['consistent', 'cached', 'delegated', 'default'].includes(word) ? 'consistency' : undefined;
}

function fromSpec(spec: MountSpec): WantedMount {
  const { Type, Source = '', Target = '', ReadOnly = false } = spec;
  const fail = (reason: string) => invalidArgument(`invalid mount config for type "${Type}": ${reason}`);
  if (!['bind', 'volume', 'tmpfs', 'image'].includes(Type)) throw fail('mount type unknown');
  if (Target === '') throw fail('field Target must not be empty');
  const destination = checkDestination(Target, Type, '');
  for (const [field, type] of [
    ['BindOptions', 'bind'],
    ['VolumeOptions', 'volume'],
    ['TmpfsOptions', 'tmpfs'],
    ['ImageOptions', 'image'],
  ] as const) {
    if (spec[field] && type !== Type) throw fail(`field ${field} must not be specified`);
  }
  if (spec.IdMap !== undefined && Type !== 'bind' && Type !== 'volume') throw fail('field IdMap must not be specified');
  const common = { ...plain, type: Type, source: Source, destination, readOnly: ReadOnly, idMaps: checkedIdMaps(spec.IdMap) };
  switch (Type) {
    case 'bind': {
      if (Source === '') throw fail('field Source must not be empty');
      if (!Source.startsWith('/')) throw fail(`invalid mount path: '${Source}' mount path must be absolute`);
      const { Propagation = '', NonRecursive = false, CreateMountpoint = false } = spec.BindOptions ?? {};
      if (Propagation !== '' && !propagations.includes(Propagation)) throw fail(`invalid propagation mode: ${Propagation}`);
      return {
        ...common,
        source: posix.normalize(Source),
        propagation: Propagation,
        nonRecursive: NonRecursive,
        recursiveReadOnly: recursionOf(spec, fail),
        createSource: CreateMountpoint,
      };
    }
    case 'volume': {
      if (Source !== '') checkVolumeName(Source);
      const { NoCopy = false, Subpath = '', Labels, DriverConfig } = spec.VolumeOptions ?? {};
      if (Source === '' && Subpath !== '') throw fail('must not set Subpath when using anonymous volumes');
      return {
        ...common,
        noCopy: NoCopy,
        subpath: checkSubpath(Subpath, fail, 'volume'),
        labels: Labels ?? {},
        driver: driverName(DriverConfig?.Name ?? ''),
        driverOptions: DriverConfig?.Options ?? {},
      };
    }
    case 'tmpfs':
      if (Source !== '') throw fail('field Source must not be specified');
      return { ...common, tmpfs: tmpfsOptions(spec.TmpfsOptions ?? {}, fail) };
    case 'image':
      if (Source === '') throw fail('field Source must not be empty');
      return { ...common, readOnly: true, subpath: checkSubpath(spec.ImageOptions?.Subpath ?? '', fail, 'image') };
    default:
      return Type satisfies never;
  }
}

function recursionOf({ ReadOnly, BindOptions }: MountSpec, fail: (reason: string) => Error): 'try' | 'force' | 'off' {
  const { NonRecursive = false, ReadOnlyNonRecursive: isOff = false, ReadOnlyForceRecursive: isForced = false } = BindOptions ?? {};
  if (isOff && isForced) throw fail('mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive');
  if (NonRecursive && isForced) throw fail('mount options conflict: NonRecursive && ReadOnlyForceRecursive');
  if ((isOff || isForced) && ReadOnly !== true)
    throw fail(`field ${isOff ? 'ReadOnlyNonRecursive' : 'ReadOnlyForceRecursive'} needs ReadOnly`);
  return isOff ? 'off' : isForced ? 'force' : 'try';
}

function tmpfsOptions(
  { SizeBytes = 0, Mode, Options = [] }: NonNullable<MountSpec['TmpfsOptions']>,
  fail: (reason: string) => Error,
): readonly string[] {
  if (SizeBytes < 0) throw fail(`invalid tmpfs size ${SizeBytes}`);
  const options = Options.map((pair) => pair.join('='));
  for (const option of options) checkTmpfsOption(option);
  return [...(SizeBytes > 0 ? [`size=${SizeBytes}`] : []), ...(Mode === undefined ? [] : [`mode=${Mode.toString(8)}`]), ...options];
}

function parseTmpfs(path: string, text: string): WantedMount {
  const options = text === '' ? [] : text.split(',');
  for (const option of options) checkTmpfsOption(option);
  return {
    ...plain,
    type: 'tmpfs',
    destination: checkDestination(path, 'tmpfs', ''),
    tmpfs: options.filter((option) => option !== 'ro' && option !== 'rw'),
    readOnly: options.includes('ro'),
    mode: text,
  };
}

const tmpfsFlags = new Set(
  'ro rw exec noexec suid nosuid dev nodev atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime sync async'.split(
    ' ',
  ),
);

/** tmpfs(5); paths and anything that the kernel would read as another option are refused. */
function checkTmpfsOption(option: string): void {
  const [, key = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(option) ?? [];
  const valid =
    value === undefined
      ? tmpfsFlags.has(key) || propagations.includes(key)
      : /^(size|nr_blocks|nr_inodes|mode|uid|gid|huge|mpol)$/.test(key) && /^[\w%:=,-]+$/.test(value);
  if (!valid) throw invalidArgument(`invalid tmpfs option ${JSON.stringify(option)}`);
}

function checkSubpath(subpath: string, fail: (reason: string) => Error, what: string): string {
  const clean = posix.normalize(subpath);
  if (subpath !== '' && (clean.startsWith('/') || clean === '..' || clean.startsWith('../') || subpath.includes('\0'))) {
    throw fail(`subpath must be a relative path within the ${what}`);
  }
  return subpath === '' ? '' : clean;
}

const kernelFolders = ['/proc', '/sys'];

function checkDestination(path: string, type: string, where: string): string {
  const fail = (reason: string) => invalidArgument(`${where}invalid mount config for type "${type}": ${reason}`);
  if (!path.startsWith('/')) throw fail(`invalid mount path: '${path}' mount path must be absolute`);
  if (/[\0\n]/.test(path)) throw fail(`invalid mount path: ${JSON.stringify(path)}`);
  const clean = posix.normalize(path).replace(/(.)\/$/, '$1');
  const wrong = wrongPlace(clean);
  if (wrong !== undefined) throw fail(`invalid specification: destination can't be ${wrong}`);
  return clean;
}

/**
 * Why nothing may be mounted at this clean path, in words. A mount over the kernel's folders would take away the masks and read-only paths
 * (CVE-2019-16884); /sys/fs/cgroup is what init systems ask for.
 */
export function wrongPlace(path: string): string | undefined {
  if (path === '/') return "'/'";
  const isKernel = kernelFolders.some((folder) => path === folder || path.startsWith(`${folder}/`));
  return isKernel && path !== '/sys/fs/cgroup' && !path.startsWith('/sys/fs/cgroup/')
    ? `in ${path.split('/', 2).join('/')}: '${path}'`
    : undefined;
}

function checkVolumeName(name: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) return;
  throw invalidArgument(
    `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  );
}
