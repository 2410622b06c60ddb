import { close, closeSync, openSync, readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { forbidden, fromErrno, invalidArgument, notImplemented } from '../errors.ts';
import {
  bindMount,
  type FileOwner,
  isErrno,
  isMountPoint,
  mount,
  mountOverlay,
  openPath,
  umount2,
  unmountFlags,
  withFileOwner,
} from '../linux/index.ts';
import type { Abortable, Mount, Path } from '../types/index.ts';
import { blamed } from './blame.ts';
import { mountWithHelper } from './helper-mount.ts';
import { limitMount } from './limits.ts';
import { MadeMounts } from './made.ts';
import { flagBits, parseOptions } from './options.ts';
import { openPlace, pathOfData } from './places.ts';
import { withServerAddress } from './server-address.ts';
import { mountByTool } from './tool-mount.ts';
import type { HelperRunner, MountGrants, MountTools } from './types.ts';

export interface MountRequest extends Abortable {
  /** The mount point: a folder, or a file when the mount is a file. Ours, so its path is trusted. */
  readonly target: string;
  readonly mounts: readonly Mount[];
  readonly grants: MountGrants;
  /** Of a volume: set-uid programs and devices do not work in it. */
  readonly restricted?: boolean;
  /** Who runs the helpers of FUSE mounts; without it there are none. */
  readonly helpers?: HelperRunner | undefined;
  /** Who makes what an overlay makes for itself in its folders, when these show owners as others; root unless given. */
  readonly fileOwner?: FileOwner | undefined;
  /** The machine's own unless given. */
  readonly tools?: MountTools | undefined;
}

/** /bin/mount knows options that belong to no kernel; see mount(8). */
const machinesTools: MountTools = { mount: ['/bin/mount'], statfs: ['/bin/stat', '-f', '-c', '%t', '--'] };

/** Types that every plugin may describe; others need a grant. */
const freeTypes = new Set(['bind', 'overlay', 'tmpfs']);

/**
 * Makes the described mounts at `target`, in order, after checking each against what the plugin was granted. All or nothing: a failure
 * or an abort unmounts what was made. A second call stacks a second mount on top: callers ask `isMountPoint` first.
 * Types that talk to a server are mounted in a process of its own, which dies with the signal.
 */
export async function makeMounts(request: MountRequest): Promise<void> {
  const { target, mounts, grants, restricted = false, helpers, fileOwner, tools = machinesTools, signal } = request;
  const made = new MadeMounts(target);
  try {
    for (const described of mounts) {
      signal?.throwIfAborted();
      check(described, grants);
      await makeOne(described, { grants, restricted, helpers, fileOwner, tools, made, signal });
      made.add(described.target);
    }
  } catch (error) {
    made.takeBack();
    await helpers?.end(target);
    signal?.throwIfAborted();
    throw blamed(fromErrno(error, `mount ${target}`), grants);
  }
}

/**
 * Takes the mounts at the target, and everything below them, out of sight at once; nothing mounted there: nothing to do. Resolves when the kernel has
 * let go of the last of them: the end of an overlay waits until its whole disk is written, in a thread that nobody waits for. Helpers of what was mounted have
 * ended then.
 */
export async function unmount(target: string, helpers?: Pick<HelperRunner, 'end'>): Promise<void> {
  const released: Promise<void>[] = [];
  while (isMounted(target)) {
    const last = openSync(target, openPath);
    try {
      umount2(target, unmountFlags.detach);
    } catch (error) {
      throw fromErrno(error, `unmount ${target}`);
    } finally {
      released.push(closing(last));
    }
  }
  await Promise.all([...released, helpers?.end(target)]);
}

/** The folder that a plain bind mount of a data folder would show: whoever only looks at it needs no mount. */
export function dataPathOf(mounts: readonly Mount[], grants: MountGrants): string | undefined {
  const [only] = mounts;
  if (only === undefined || mounts.length > 1 || only.type !== 'bind' || only.target !== undefined || !('data' in only.source))
    return undefined;
  return checkedPath(only.source, grants);
}

/** The folders whose stack one mount of data folders would show, the nearest first: for whoever knows overlayfs' signs and only looks. */
export function dataPathsOf(mounts: readonly Mount[], grants: MountGrants): readonly string[] | undefined {
  const [only] = mounts;
  if (mounts.length > 1 || only?.overlay === undefined || only.target !== undefined || only.overlay.upper !== undefined) {
    const path = dataPathOf(mounts, grants);
    return path === undefined ? undefined : [path];
  }
  return only.overlay.lower.map((place) => checkedPath(place, grants));
}

function checkedPath(place: Path, grants: MountGrants): string {
  try {
    return pathOfData(place, grants);
  } catch (error) {
    throw blamed(error, grants);
  }
}

export function isMounted(target: string): boolean {
  try {
    return isMountPoint(target);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw fromErrno(error, `look at ${target}`);
  }
}

const closing = promisify(close);

interface Making extends Abortable {
  readonly grants: MountGrants;
  readonly restricted: boolean;
  readonly helpers: HelperRunner | undefined;
  readonly fileOwner: FileOwner | undefined;
  readonly tools: MountTools;
  readonly made: MadeMounts;
}

/** What to mount at: by path, and by a descriptor where nobody is to follow a path; `name` is the same place for people and records. */
interface MountPoint {
  readonly path: string;
  readonly at: string | number;
  readonly name: string;
}

function check({ type, helper }: Mount, grants: MountGrants): void {
  if (!/^[a-z0-9._-]{1,64}$/.test(type)) throw invalidArgument(`mount type ${JSON.stringify(type)} of plugin ${grants.plugin}`);
  if (!freeTypes.has(type) && !grants.mountTypes.includes(type)) {
    throw forbidden(`plugin ${grants.plugin} may not mount type ${type}`, {
      hint: 'its manifest has to ask for it in privileges.mountTypes',
    });
  }
  if ((helper !== undefined) !== (type === 'fuse'))
    throw invalidArgument(helper === undefined ? 'a fuse mount without its helper' : `a helper for a mount of type ${type}`);
}

async function makeOne(described: Mount, making: Making): Promise<void> {
  const { made } = making;
  if (described.target === undefined) return mountAt(described, { path: made.target, at: made.target, name: made.target }, making);
  const place = made.open(described.target);
  try {
    // Other processes are to find it, too.
    const path = `/proc/${process.pid}/fd/${place}`;
    await mountAt(described, { path, at: place, name: readlinkSync(path) }, making);
  } finally {
    closeSync(place);
  }
}

async function mountAt(described: Mount, point: MountPoint, making: Making): Promise<void> {
  const { grants, restricted, fileOwner, tools, made, signal } = making;
  const target = point.path;
  limitMount(described, grants);
  const { flags, data } = parseOptions(described.type, described.options ?? []);
  const isReadOnly = described.readOnly === true || flags.has('rdonly');
  const all = new Set(flags);
  if (isReadOnly) all.add('rdonly');
  if (restricted) all.add('nosuid').add('nodev');
  switch (described.type) {
    case 'overlay':
      return withFileOwner(fileOwner, () => overlayAt(described, point.at, { grants, data, isReadOnly }));
    case 'bind':
      return bindAt(openPlace(described.source, grants, made), point.at, {
        readOnly: isReadOnly,
        noSuid: all.has('nosuid'),
        noDev: all.has('nodev'),
        noExec: all.has('noexec'),
      });
    case 'tmpfs':
      return mount('tmpfs', target, { type: 'tmpfs', flags: flagBits(all), data: data.join(',') });
    case 'fuse':
      return fuseAt(described, point, { ...making, flags: flagBits(all), data });
    default:
      return mountByTool(described, target, {
        grants,
        options: [...(await withServerAddress(described, { signal })), ...(restricted ? ['nosuid', 'nodev'] : [])],
        made,
        tools,
        signal,
      });
  }
}

function fuseAt(
  described: Mount,
  point: MountPoint,
  { grants, helpers, tools, made, signal, flags, data }: Making & { readonly flags: number; readonly data: readonly string[] },
): Promise<void> {
  const { helper } = described;
  if (helper === undefined || helpers === undefined) throw notImplemented('mounts with a helper process');
  const withHelper = { ...described, helper };
  const isOwnFolder = described.target === undefined && made.isEmpty;
  return mountWithHelper({
    described: withHelper,
    path: point.path,
    name: point.name,
    isOwnFolder,
    flags,
    data,
    grants,
    helpers,
    tools,
    made,
    signal,
  });
}

function overlayAt(
  { overlay }: Mount,
  target: string | number,
  { grants, data, isReadOnly }: { readonly grants: MountGrants; readonly data: readonly string[]; readonly isReadOnly: boolean },
): void {
  if (overlay === undefined) throw invalidArgument('an overlay mount without its folders');
  const options = Object.fromEntries(
    data.map((option) => {
      const [key = '', ...value] = option.split('=');
      return [key, value.length === 0 ? (true as const) : value.join('=')];
    }),
  );
  mountOverlay({
    lower: overlay.lower.map((place) => pathOfData(place, grants)),
    upper: overlay.upper === undefined ? undefined : pathOfData(overlay.upper, grants),
    work: overlay.work === undefined ? undefined : pathOfData(overlay.work, grants),
    target,
    options,
    readOnly: isReadOnly,
  });
}

function bindAt(source: number, target: string | number, limits: Parameters<typeof bindMount>[2]): void {
  try {
    bindMount(source, target, { recursive: true, ...limits });
  } finally {
    closeSync(source);
  }
}
