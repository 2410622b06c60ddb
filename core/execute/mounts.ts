import { close, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Abortable, forbidden, fromErrno, invalidArgument, type Mount, notImplemented, unavailable } from '@gantry/sdk';
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
} from '@gantry/sdk/linux';
import type { Grants } from '../drivers/types.ts';
import { blamed } from './blame.ts';
import { limitMount } from './limits.ts';
import { flagBits, parseOptions } from './mount-options.ts';
import { mountWithHelper } from './helper-mount.ts';
import type { Helpers } from './helpers.ts';
import { openPlace, pathOfData } from './places.ts';
import { withServerAddress } from './server-address.ts';

export interface MountRequest extends Abortable {
  /** The mount point: a folder, or a file when the mount is a file. Ours, so its path is trusted. */
  readonly target: string;
  readonly mounts: readonly Mount[];
  readonly grants: Grants;
  /** Of a volume: set-uid programs and devices do not work in it. */
  readonly restricted?: boolean;
  /** Who runs the helpers of FUSE mounts; without it there are none. */
  readonly helpers?: Helpers | undefined;
}

/** Types that every plugin may describe; others need a grant. */
const freeTypes = new Set(['bind', 'overlay', 'tmpfs']);

/**
 * Makes the described mounts at `target`, in order, after checking each against what the plugin was granted. All or nothing: a failure
 * or an abort unmounts what was made. A second call stacks a second mount on top: callers ask `isMountPoint` first.
 * Types that talk to a server are mounted by mount(8) in a process of its own, which dies with the signal.
 */
export async function makeMounts({ target, mounts, grants, restricted = false, helpers, signal }: MountRequest): Promise<void> {
  const made: string[] = [];
  try {
    for (const described of mounts) {
      signal?.throwIfAborted();
      check(described, grants);
      made.push(await makeOne(described, { target, grants, restricted, helpers, made, signal }));
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
export async function unmount(target: string, helpers?: Helpers): Promise<void> {
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
export function dataPathOf(mounts: readonly Mount[], grants: Grants): string | undefined {
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
  readonly grants: Grants;
  readonly restricted: boolean;
  readonly helpers: Helpers | undefined;
  readonly made: readonly string[];
}

function check({ type, helper }: Mount, grants: Grants): void {
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
  const path = place === undefined ? making.target : `/proc/self/fd/${place}`;
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
  const { grants, restricted, made, signal } = making;
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
        signal,
      });
  }
}

function fuseAt(
  described: Mount,
  path: string,
  { target, grants, helpers, made, signal, flags, data }: Making & { readonly flags: number; readonly data: readonly string[] },
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
    mounted: mountedAt(made),
    signal,
  });
}

function overlayAt(
  { overlay }: Mount,
  target: string,
  { grants, data, isReadOnly }: { readonly grants: Grants; readonly data: readonly string[]; readonly isReadOnly: boolean },
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
    signal,
  }: { readonly grants: Grants; readonly options: readonly string[]; readonly mounted: (index: number) => string } & Abortable,
): Promise<void> {
  const { source } = described;
  const place = 'opaque' in source ? undefined : openPlace(source, grants, mounted);
  try {
    using loop = place === undefined ? undefined : loopOf(place, described);
    const from = 'opaque' in source ? source.opaque : (loop?.path ?? `/proc/${process.pid}/fd/${place}`);
    const list = [...options, ...(described.readOnly === true ? ['ro'] : [])];
    // -i: no /sbin/mount.* helper, which would run outside of what we check.
    const argv = ['mount', '-i', '-t', described.type, ...(list.length > 0 ? ['-o', list.join(',')] : []), '--', from, target];
    const { exitCode, stderr } = await run({ file: '/bin/mount', argv, signal, env: {} });
    if (exitCode !== 0) throw unavailable(`mount ${described.type} ${from}: ${stderr.toString().trim()}`);
  } finally {
    if (place !== undefined) closeSync(place);
  }
}
