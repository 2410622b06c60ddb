import { setFrozen, type Subvolume, subvolumeOf, volumeCall } from './calls.ts';
import { deleteNested } from './nested.ts';
import { isErrno } from '../errno.ts';
import { ioctlAside } from '../ioctl.ts';
import { OpenFolder } from '../files/open-folder.ts';

/** Subvolumes of btrfs, by ioctl_btrfs. Deleting, and reading what is inside, needs CAP_SYS_ADMIN. Names are single ones, not paths. */

/** Makes an empty subvolume in a folder. Resolves when it is on the disk. EEXIST when the name is taken, ENOTTY on other file systems. */
export async function createSubvolume(folder: string, name: string): Promise<void> {
  using place = new OpenFolder(folder);
  await volumeCall(place, 'BTRFS_IOC_SUBVOL_CREATE_V2', { name });
}

/** Makes a writable subvolume with the content of another one, whose blocks it shares. Subvolumes inside that one are empty folders in this. */
export async function snapshotSubvolume(from: string, folder: string, name: string): Promise<void> {
  using source = new OpenFolder(from);
  using place = new OpenFolder(folder);
  await volumeCall(place, 'BTRFS_IOC_SNAP_CREATE_V2', { name, source });
}

/** The subvolume whose top folder this is; undefined for any other folder, on any file system, and where there is none. */
export function subvolumeAt(path: string): Subvolume | undefined {
  try {
    using top = new OpenFolder(path);
    return top.stat().ino === 256n ? subvolumeOf(top) : undefined;
  } catch (error) {
    // ENOTTY: another file system, where the number means nothing.
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENOTTY')) return undefined;
    throw error;
  }
}

/** Has a subvolume, by its top folder, refuse all changes from now on, through any mount. Resolves when that is on the disk. A second call does nothing. */
export async function freezeSubvolume(path: string): Promise<void> {
  using top = new OpenFolder(path);
  await setFrozen(top, true);
}

/**
 * Removes a subvolume, and before it those that anybody made inside, however deep, frozen or not. Their space comes back in the background. Works on a full disk.
 * ENOENT when it is not there. What is open or mounted lives on without a name. Linux 5.7.
 */
export async function deleteSubvolume(folder: string, name: string): Promise<void> {
  using place = new OpenFolder(folder);
  {
    using top = new OpenFolder(name, { below: place });
    await deleteNested(top, subvolumeOf(top).id);
  }
  await volumeCall(place, 'BTRFS_IOC_SNAP_DESTROY_V2', { name });
}

/** Has the kernel begin now to give back the space of deleted subvolumes, not within half a minute; resolves when everything else is on the disk. */
export async function reclaimSubvolumes(path: string): Promise<void> {
  using place = new OpenFolder(path);
  // The call takes no argument; what is given is not looked at.
  await ioctlAside(place.file, 0x9408, Buffer.alloc(8), 'BTRFS_IOC_SYNC');
}
