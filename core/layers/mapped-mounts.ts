import { chmodSync, chownSync, closeSync, mkdirSync, rmdirSync } from 'node:fs';
import { dirname, isAbsolute, relative } from 'node:path';
import { type Mount, type Path, unavailable } from '@gantry/sdk';
import { bindMount, type IdMaps, isErrno, openUserNamespace, rootOf, umount2, unmountFlags } from '@gantry/sdk/linux';
import { makeMounts, type MountRequest, unmount } from '../execute/index.ts';
import { failpoint } from '../support/index.ts';

/**
 * Makes a graph driver's mounts, showing an owner `inside` on the disk as `outside`, so that one store serves containers in any user namespace and nothing is chowned. The
 * kernel does not map owners of an overlay, but overlays take mapped layers (Linux 5.19): the driver's data folder is shown mapped at `place`, which is ours, until
 * the mounts are made of what is in there. What is not made of the data folder is mapped when it is mounted. `unavailable` where the file system cannot.
 */
export async function makeMappedMounts(
  request: MountRequest,
  { driver, idMaps, place }: { readonly driver: string; readonly idMaps: IdMaps; readonly place: string },
): Promise<void> {
  const { target, mounts, grants } = request;
  const userns = await openUserNamespace(idMaps);
  const show: Shower = (source, at) => showMapped(source, at, { driver, userns });
  try {
    if (!mounts.every(isOfData)) return await mapMade(request, show);
    mkdirSync(place, { recursive: true, mode: 0o700 });
    try {
      show(grants.dataDir, place);
      failpoint('rw.mapped');
      await makeMounts({
        ...request,
        mounts: mounts.map((mount) => below(mount, grants.dataDir)),
        grants: { ...grants, dataDir: place },
        fileOwner: rootOf(idMaps),
      });
    } catch (error) {
      if (mounts.some(({ type }) => type === 'overlay') && isErrno(error, 'EINVAL')) throw cannotMap(driver, target, error);
      throw error;
    } finally {
      hide(place);
    }
  } finally {
    closeSync(userns);
  }
}

/** Lets the root of a container's user namespace walk to its mount, which the runtime makes as that user; everybody else stays out, and nobody writes (CVE-2021-21284). */
export function letIn(target: string, idMaps: IdMaps | undefined): void {
  const folder = dirname(target);
  chownSync(folder, 0, idMaps === undefined ? 0 : rootOf(idMaps).gid);
  chmodSync(folder, idMaps === undefined ? 0o700 : 0o710);
  if (idMaps !== undefined) chmodSync(dirname(folder), 0o711);
}

async function mapMade(request: MountRequest, show: Shower): Promise<void> {
  const { target, helpers } = request;
  await makeMounts(request);
  try {
    show(target, target);
  } catch (error) {
    await unmount(target, helpers);
    throw error;
  }
}

type Shower = (source: string, target: string) => void;

function showMapped(source: string, target: string, { driver, userns }: { readonly driver: string; readonly userns: number }): void {
  try {
    bindMount(source, target, { usernsFd: userns });
  } catch (error) {
    throw isErrno(error, 'EINVAL', 'ENOSYS', 'EPERM') ? cannotMap(driver, source, error) : error;
  }
}

function cannotMap(driver: string, path: string, cause: unknown): Error {
  const reason = `the file system of ${path}, or this kernel, has no idmapped mounts`;
  return unavailable(`graph driver ${driver} cannot show owners mapped for a user namespace: ${reason}`, {
    hint: 'run the container with --userns=host, or keep the data root on ext4, xfs or btrfs, with overlay2 on Linux 5.19 or later',
    cause,
  });
}

function hide(place: string): void {
  try {
    umount2(place, unmountFlags.detach);
  } catch (error) {
    if (!isErrno(error, 'EINVAL')) throw error;
  }
  rmdirSync(place);
}

function isOfData({ type, source }: Mount): boolean {
  return type === 'overlay' || (type === 'bind' && 'data' in source);
}

/** Data paths may be absolute; the same below another folder are not. */
function below({ source, overlay, ...mount }: Mount, dataDir: string): Mount {
  const moved = (path: Path): Path => ('data' in path && isAbsolute(path.data) ? { ...path, data: relative(dataDir, path.data) } : path);
  if (overlay === undefined) return { ...mount, source: moved(source) };
  const { lower, upper, work } = overlay;
  return {
    ...mount,
    source,
    overlay: {
      lower: lower.map(moved),
      ...(upper === undefined ? {} : { upper: moved(upper) }),
      ...(work === undefined ? {} : { work: moved(work) }),
    },
  };
}
