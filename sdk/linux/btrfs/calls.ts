import { ioctl, ioctlAside } from '../ioctl.ts';
import type { OpenFolder } from '../files/open-folder.ts';

/** What of ioctl_btrfs the rest of this room is made of (linux/btrfs.h). */

export interface Subvolume {
  readonly id: bigint;
  /** The transaction that made it: what was written to it since has a later one. */
  readonly madeIn: bigint;
}

/** The subvolume that a folder is in: BTRFS_IOC_GET_SUBVOL_INFO, Linux 4.18. ENOTTY on other file systems. */
export function subvolumeOf(folder: OpenFolder): Subvolume {
  const info = Buffer.alloc(504);
  ioctl(folder.file, 0x81f8943c, info, 'BTRFS_IOC_GET_SUBVOL_INFO');
  return { id: info.readBigUInt64LE(0), madeIn: info.readBigUInt64LE(352) };
}

const volumeCalls = {
  BTRFS_IOC_SNAP_CREATE_V2: 0x50009417,
  BTRFS_IOC_SUBVOL_CREATE_V2: 0x50009418,
  BTRFS_IOC_SNAP_DESTROY_V2: 0x5000943f,
} as const;

/** One of the calls with struct btrfs_ioctl_vol_args_v2, on the folder that the subvolume is in, or will be. */
export async function volumeCall(
  folder: OpenFolder,
  call: keyof typeof volumeCalls,
  { name, source }: { readonly name: string | Uint8Array; readonly source?: OpenFolder },
): Promise<void> {
  const given = Buffer.alloc(4096);
  given.writeBigInt64LE(BigInt(source?.file ?? 0), 0);
  // Names have 255 bytes at most, which the kernel looks at: one that would lose its end here is refused as well.
  given.set(Buffer.from(name).subarray(0, 4039), 56);
  await ioctlAside(folder.file, volumeCalls[call], given, call);
}

/** Whether a subvolume, by its top folder, refuses changes through any mount. Resolves when that is on the disk. */
export async function setFrozen(top: OpenFolder, isFrozen: boolean): Promise<void> {
  const flags = Buffer.alloc(8);
  ioctl(top.file, 0x80089419, flags, 'BTRFS_IOC_SUBVOL_GETFLAGS');
  const before = flags.readBigUInt64LE();
  const after = isFrozen ? before | frozen : before & ~frozen;
  if (after === before) return;
  flags.writeBigUInt64LE(after);
  await ioctlAside(top.file, 0x4008941a, flags, 'BTRFS_IOC_SUBVOL_SETFLAGS');
}

/** BTRFS_SUBVOL_RDONLY. */
const frozen = 2n;
