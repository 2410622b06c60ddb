import { close, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { forbidden, fromErrno, invalidArgument, notImplemented, unavailable } from '../errors.ts';
import {
  attachLoop,
  bindMount,
  isErrno,
  type LoopDevice,
  isMountPoint,
  mount,
  mountOverlay,
  openInRoot,
  openPath,
  run,
  umount2,
  unmountFlags,
} from '../linux/index.ts';
import type { Abortable, Mount } from '../types/index.ts';
import { blamed } from './blame.ts';
import { mountWithHelper } from './helper-mount.ts';
import { limitMount } from './limits.ts';
import { flagBits, parseOptions } from './options.ts';
import { openPlace, pathOfData } from './places.ts';
import { withServerAddress } from './server-address.ts';
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
  const { target, mounts, grants, restricted = false, helpers, tools = machinesTools, signal } = request;
  const made: string[] = [];
  try {
    for (const described of mounts) {
      signal?.throwIfAborted();
      check(described, grants);
      made.push(await makeOne(described, { target, grants, restricted, helpers, tools, made, signal }));
    }
  } catch (error) {
    for (const path of made.toReversed()) umount2(path, unmountFlags.detach);
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
  try {
    return pathOfData(only.source, grants);
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
  readonly target: string;
  readonly grants: MountGrants;
  readonly restricted: boolean;
  readonly helpers: HelperRunner | undefined;
  readonly tools: MountTools;
  readonly made: readonly string[];
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

/** The path at which it was mounted. */
async function makeOne(described: Mount, making: Making): Promise<string> {
  const place = described.target === undefined ? undefined : openInRoot(making.target, described.target, { flags: openPath });
  // Other processes are to find it, too.
  const path = place === undefined ? making.target : `/proc/${process.pid}/fd/${place}`;
  try {
    await mountAt(described, path, making);
    return described.target === undefined ? making.target : `${making.target}/${described.target}`;
  } finally {
    if (place !== undefined) closeSync(place);
  }
}

/** A file is mounted as a block device, which the kernel takes away when it is unmounted. Opened by its descriptor: its name may mean another one by now. */
function loopOf(place: number, { readOnly = false, options = [] }: Mount): LoopDevice | undefined {
  if (!fstatSync(place).isFile()) return undefined;
  const isReadOnly = readOnly || options.includes('ro');
  const file = openSync(`/proc/self/fd/${place}`, isReadOnly ? constants.O_RDONLY : constants.O_RDWR);
  try {
    return attachLoop(file, { readOnly: isReadOnly });
  } finally {
    closeSync(file);
  }
}

async function mountAt(described: Mount, target: string, making: Making): Promise<void> {
  const { grants, restricted, tools, made, signal } = making;
  limitMount(described, grants);
  const { flags, data } = parseOptions(described.type, described.options ?? []);
  const isReadOnly = described.readOnly === true || flags.has('rdonly');
  const all = new Set(flags);
  if (isReadOnly) all.add('rdonly');
  if (restricted) all.add('nosuid').add('nodev');
  switch (described.type) {
    case 'overlay':
      return overlayAt(described, target, { grants, data, isReadOnly });
    case 'bind':
      return bindAt(openPlace(described.source, grants, mountedAt(made)), target, {
        readOnly: isReadOnly,
        noSuid: all.has('nosuid'),
        noDev: all.has('nodev'),
        noExec: all.has('noexec'),
      });
    case 'tmpfs':
      return mount('tmpfs', target, { type: 'tmpfs', flags: flagBits(all), data: data.join(',') });
    case 'fuse':
      return fuseAt(described, target, { ...making, flags: flagBits(all), data });
    default:
      return mountByTool(described, target, {
        grants,
        options: [...(await withServerAddress(described, { signal })), ...(restricted ? ['nosuid', 'nodev'] : [])],
        mounted: mountedAt(made),
        tools,
        signal,
      });
  }
}

function fuseAt(
  described: Mount,
  path: string,
  { target, grants, helpers, tools, made, signal, flags, data }: Making & { readonly flags: number; readonly data: readonly string[] },
): Promise<void> {
  const { helper } = described;
  if (helper === undefined || helpers === undefined) throw notImplemented('mounts with a helper process');
  const name = described.target === undefined ? target : `${target}/${described.target}`;
  const withHelper = { ...described, helper };
  const isOwnFolder = described.target === undefined && made.length === 0;
  return mountWithHelper({
    described: withHelper,
    path,
    name,
    isOwnFolder,
    flags,
    data,
    grants,
    helpers,
    tools,
    mounted: mountedAt(made),
    signal,
  });
}

function overlayAt(
  { overlay }: Mount,
  target: string,
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

function bindAt(source: number, target: string, limits: Parameters<typeof bindMount>[2]): void {
  try {
    bindMount(source, target, { recursive: true, ...limits });
  } finally {
    closeSync(source);
  }
}

function mountedAt(made: readonly string[]): (index: number) => string {
  return (index) => {
    const path = made[index];
    if (path === undefined) throw invalidArgument(`mount ${index} is not an earlier one of the same list`);
    return path;
  };
}

async function mountByTool(
  described: Mount,
  target: string,
  {
    grants,
    options,
    mounted,
    tools,
    signal,
  }: Pick<Making, 'grants' | 'tools' | 'signal'> & { readonly options: readonly string[]; readonly mounted: (index: number) => string },
): Promise<void> {
  const { source } = described;
  const place = 'opaque' in source ? undefined : openPlace(source, grants, mounted);
  try {
    using loop = place === undefined ? undefined : loopOf(place, described);
    const from = 'opaque' in source ? source.opaque : (loop?.path ?? `/proc/${process.pid}/fd/${place}`);
    const list = [...options, ...(described.readOnly === true ? ['ro'] : [])];
    // -i: no /sbin/mount.* helper, which would run outside of what we check.
    const argv = [...tools.mount, '-i', '-t', described.type, ...(list.length > 0 ? ['-o', list.join(',')] : []), '--', from, target];
    const { exitCode, stderr } = await run({ file: argv[0] ?? '', argv, signal, env: {} });
    if (exitCode !== 0) throw unavailable(`mount ${described.type} ${from}: ${stderr.toString().trim()}`);
  } finally {
    if (place !== undefined) closeSync(place);
  }
}
