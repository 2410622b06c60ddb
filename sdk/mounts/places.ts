import { closeSync, constants, readlinkSync } from 'node:fs';
import { isAbsolute, normalize, relative } from 'node:path';
import { forbidden, fromErrno, invalidArgument } from '../errors.ts';
import { openat2, openInRoot, openPath, resolveFlags } from '../linux/index.ts';
import type { Path } from '../types/index.ts';
import { MadeMounts } from './made.ts';
import type { MountGrants } from './types.ts';

/**
 * An O_PATH descriptor of a described place, inside what the plugin was granted; the caller closes it.
 * `made` are the earlier mounts of the same list.
 */
export function openPlace(place: Path, grants: MountGrants, made: MadeMounts = none): number {
  checkText(place, grants);
  const subpath = place.subpath ?? '.';
  if ('data' in place) return openBelow(grants.dataDir, withSubpath(belowData(place.data, grants), subpath));
  if ('mount' in place) return openBelowMount(made, place.mount, subpath);
  if ('host' in place) return openGranted(place.host, subpath, grants.hostPaths, `host path of plugin ${grants.plugin}`);
  if ('device' in place) return openGranted(place.device, '.', grants.devices, `device of plugin ${grants.plugin}`);
  throw invalidArgument(`${JSON.stringify(place.opaque)} is no path`);
}

/**
 * The same place as text, for kernel interfaces that take no descriptor. Its parts were checked to be no symlinks, so that the text
 * means what was checked; only the plugin itself could change that meanwhile.
 */
export function pathOfData(place: Path, grants: MountGrants): string {
  checkText(place, grants);
  if (!('data' in place)) throw invalidArgument('an overlay is made of data paths');
  const below = withSubpath(belowData(place.data, grants), place.subpath ?? '.');
  const root = openPathOf(grants.dataDir);
  try {
    closeSync(openat2(root, below, { flags: openPath | constants.O_DIRECTORY, resolve: strict }));
  } catch (error) {
    throw fromErrno(error, `data path ${below} of plugin ${grants.plugin}`);
  } finally {
    closeSync(root);
  }
  return `${grants.dataDir}/${below}`;
}

/** The kernel would read no further than the NUL, and so another path than the one that is checked. */
function checkText(place: Path, { plugin }: MountGrants): void {
  if (Object.values(place).some((part) => typeof part === 'string' && part.includes('\0')))
    throw invalidArgument(`plugin ${plugin} describes a path with a NUL byte: ${JSON.stringify(place)}`);
}

const strict = resolveFlags.beneath | resolveFlags.noSymlinks | resolveFlags.noMagicLinks;

function belowData(path: string, grants: MountGrants): string {
  const below = normalize(isAbsolute(path) ? relative(grants.dataDir, path) : path);
  if (below === '..' || below.startsWith('../'))
    throw forbidden(`plugin ${grants.plugin} describes ${path}, which is not below its data folder`);
  return below;
}

function withSubpath(path: string, subpath: string): string {
  return subpath === '.' ? path : `${path}/${subpath}`;
}

function openBelow(root: string, path: string): number {
  try {
    return openInRoot(root, path, { flags: openPath });
  } catch (error) {
    throw fromErrno(error, `open ${path} below ${root}`);
  }
}

/** Outside of a list there is no earlier mount. */
const none = new MadeMounts('');

function openBelowMount(made: MadeMounts, index: number, subpath: string): number {
  const root = made.openMount(index);
  if (subpath === '.') return root;
  try {
    return openInRoot(root, subpath, { flags: openPath });
  } catch (error) {
    throw fromErrno(error, `open ${subpath} below mount ${index}`);
  } finally {
    closeSync(root);
  }
}

function openGranted(path: string, subpath: string, granted: readonly string[], what: string): number {
  if (!isAbsolute(path)) throw invalidArgument(`${what}: ${JSON.stringify(path)} is not absolute`);
  let base = openBelow('/', path);
  if (subpath !== '.') {
    const outer = base;
    try {
      base = openInRoot(outer, subpath, { flags: openPath });
    } catch (error) {
      throw fromErrno(error, `open ${subpath} below ${path}`);
    } finally {
      closeSync(outer);
    }
  }
  const real = readlinkSync(`/proc/self/fd/${base}`);
  if (granted.some((prefix) => prefix === '/' || prefix === '*' || real === prefix || real.startsWith(`${prefix.replace(/\/$/, '')}/`)))
    return base;
  closeSync(base);
  throw forbidden(`${what}: ${real} is not covered by a granted privilege`);
}

function openPathOf(folder: string): number {
  return openat2(undefined, folder, { flags: openPath | constants.O_DIRECTORY });
}
