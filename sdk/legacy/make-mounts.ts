import { closeSync, constants, mkdirSync, rmdirSync } from 'node:fs';
import { isAbsolute, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromErrno, invalidArgument, notImplemented, unavailable } from '../errors.ts';
import {
  bindMount,
  fstabFlags,
  isErrno,
  isMountPoint,
  mount,
  type MountFlag,
  mountOverlay,
  openat2,
  openInRoot,
  openPath,
  resolveFlags,
  run,
  umount2,
  unmountFlags,
} from '../linux/index.ts';
import type { Abortable, Mount, Path } from '../types/index.ts';

export interface MakeRequest extends Abortable {
  /** A folder, made when it is not there. */
  readonly target: string;
  readonly mounts: readonly Mount[];
  /** What `data` paths are below of. */
  readonly dataDir: string;
}

/**
 * Makes what a driver of this process described, at `target`: set-uid programs and devices do not work in it. All or nothing: a failure or an abort
 * unmounts what was made and removes the folder. What the process may not do, the kernel refuses.
 */
export async function makeMounts({ target, mounts, dataDir, signal }: MakeRequest): Promise<void> {
  mkdirSync(target, { recursive: true });
  const made: string[] = [];
  try {
    for (const described of mounts) {
      signal?.throwIfAborted();
      made.push(await makeOne(described, { target, dataDir, made, signal }));
    }
  } catch (error) {
    removeMounts(target);
    throw explained(error, target);
  }
}

/** Unmounts whatever is at `target` and removes the folder, which must be empty then. Nothing there: nothing to do. */
export function removeMounts(target: string): void {
  try {
    while (isMounted(target)) umount2(target, unmountFlags.detach);
    rmdirSync(target);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw fromErrno(error, `unmount ${target}`);
  }
}

export function isMounted(target: string): boolean {
  try {
    return isMountPoint(target);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** The folder that a plain bind mount of data shows: where nothing else is described, nothing need be mounted. */
export function plainFolder(mounts: readonly Mount[], dataDir: string): string | undefined {
  const [only] = mounts;
  const isPlain = only?.type === 'bind' && mounts.length === 1 && only.target === undefined && only.readOnly !== true;
  if (!isPlain || (only.options ?? []).length > 0 || !('data' in only.source)) return undefined;
  return pathOfData(only.source, dataDir);
}

type Making = Omit<MakeRequest, 'mounts'> & { readonly made: readonly string[] };

async function makeOne(described: Mount, making: Making): Promise<string> {
  if (described.helper !== undefined) throw notImplemented('mounts with a helper process cannot be made by a Docker plugin');
  const place = described.target === undefined ? undefined : openInRoot(making.target, described.target, { flags: openPath });
  try {
    await mountAt(described, place === undefined ? making.target : `/proc/self/fd/${place}`, making);
    return described.target === undefined ? making.target : join(making.target, described.target);
  } finally {
    if (place !== undefined) closeSync(place);
  }
}

async function mountAt(described: Mount, target: string, making: Making): Promise<void> {
  const { flags, data } = optionsOf(described);
  const readOnly = flags.has('rdonly');
  switch (described.type) {
    case 'bind': {
      const source = openPlace(described.source, making);
      try {
        return bindMount(source, target, { recursive: true, readOnly, noSuid: true, noDev: true, noExec: flags.has('noexec') });
      } finally {
        closeSync(source);
      }
    }
    case 'overlay':
      return overlayAt(described, target, { dataDir: making.dataDir, data, readOnly });
    case 'tmpfs':
      return mount('tmpfs', target, { type: 'tmpfs', flags, data: data.join(',') });
    default:
      return mountAside(described, target, making, { flags, data });
  }
}

interface Options {
  readonly flags: ReadonlySet<MountFlag>;
  readonly data: readonly string[];
}

function optionsOf({ options = [], readOnly }: Mount): Options {
  const flags = new Set<MountFlag>(['nosuid', 'nodev']);
  const data: string[] = [];
  for (const option of options) {
    if (option === '' || /[,\n\0]/.test(option)) throw invalidArgument(`mount option ${JSON.stringify(option)} is not one option`);
    const flag = Object.hasOwn(fstabFlags, option) ? fstabFlags[option] : undefined;
    if (flag === undefined) data.push(option);
    else if (flag !== null) flags.add(flag);
  }
  if (readOnly === true) flags.add('rdonly');
  return { flags, data };
}

function overlayAt(
  { overlay }: Mount,
  target: string,
  { dataDir, data, readOnly }: { readonly dataDir: string; readonly data: readonly string[]; readonly readOnly: boolean },
): void {
  if (overlay === undefined) throw invalidArgument('an overlay mount without its folders');
  const { lower, upper, work } = overlay;
  mountOverlay({
    lower: lower.map((place) => pathOfData(place, dataDir)),
    upper: upper === undefined ? undefined : pathOfData(upper, dataDir),
    work: work === undefined ? undefined : pathOfData(work, dataDir),
    target,
    options: Object.fromEntries(data.map((option) => [option.replace(/=.*$/s, ''), option.replace(/^[^=]*=/s, '')])),
    readOnly,
  });
}

/** mount(2) of what may hang for minutes is for a process of its own, which can be killed. */
async function mountAside({ type, source }: Mount, target: string, making: Making, { flags, data }: Options): Promise<void> {
  const place = 'opaque' in source ? undefined : openPlace(source, making);
  try {
    const from = 'opaque' in source ? source.opaque : `/proc/${process.pid}/fd/${place}`;
    const job = {
      source: from,
      target: target.replace('/proc/self/', `/proc/${process.pid}/`),
      type,
      flags: [...flags],
      data: data.join(','),
    };
    const argv = [process.execPath, fileURLToPath(new URL('./mount-child.ts', import.meta.url)), JSON.stringify(job)];
    const { exitCode, stderr } = await run({ file: process.execPath, argv, env: {}, signal: making.signal });
    if (exitCode !== 0) throw unavailable(`mount ${type} ${from}: ${stderr.toString().trim().slice(0, 2_000)}`);
  } finally {
    if (place !== undefined) closeSync(place);
  }
}

function openPlace(place: Path, { dataDir, made }: Making): number {
  const subpath = place.subpath ?? '.';
  if ('data' in place) return openInRoot(dataDir, join(below(place.data, dataDir), subpath), { flags: openPath });
  if ('host' in place) return openInRoot('/', join(place.host, subpath), { flags: openPath });
  if ('device' in place) return openInRoot('/', place.device, { flags: openPath });
  if ('opaque' in place) throw invalidArgument(`${JSON.stringify(place.opaque)} is no path`);
  const earlier = made[place.mount];
  if (earlier === undefined) throw invalidArgument(`mount ${place.mount} is not an earlier one of the same list`);
  return openInRoot(earlier, subpath, { flags: openPath });
}

/** As text, for who takes no descriptor; no part of it is a symlink, so that it means the same to everybody. */
function pathOfData(place: Path, dataDir: string): string {
  if (!('data' in place)) throw invalidArgument('an overlay is made of data paths');
  const path = join(below(place.data, dataDir), place.subpath ?? '.');
  const root = openat2(undefined, dataDir, { flags: openPath | constants.O_DIRECTORY });
  try {
    const resolve = resolveFlags.beneath | resolveFlags.noSymlinks | resolveFlags.noMagicLinks;
    closeSync(openat2(root, path, { flags: openPath | constants.O_DIRECTORY, resolve }));
  } catch (error) {
    throw fromErrno(error, `data path ${path}`);
  } finally {
    closeSync(root);
  }
  return join(dataDir, path);
}

function below(path: string, dataDir: string): string {
  const inner = normalize(isAbsolute(path) ? relative(dataDir, path) : path);
  if (inner === '..' || inner.startsWith('../')) throw invalidArgument(`${path} is not below the data folder`);
  return inner;
}

function explained(error: unknown, target: string): unknown {
  if (!isErrno(error, 'EPERM')) return fromErrno(error, `mount ${target}`);
  return unavailable(`mount ${target}: ${error.message}`, { cause: error, hint: 'the plugin needs the capability CAP_SYS_ADMIN' });
}
