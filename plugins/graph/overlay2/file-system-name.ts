import { fileSystemMagic } from '@gantry/sdk/linux';

/** Docker's names of file systems, as `docker info` shows them. */
export function fileSystemName(magic: number): string {
  const names: Readonly<Record<number, string>> = {
    [fileSystemMagic.btrfs]: 'btrfs',
    [fileSystemMagic.ext4]: 'extfs',
    [fileSystemMagic.fuse]: 'fuse',
    [fileSystemMagic.nfs]: 'nfs',
    [fileSystemMagic.overlay]: 'overlayfs',
    [fileSystemMagic.tmpfs]: 'tmpfs',
    [fileSystemMagic.xfs]: 'xfs',
    [fileSystemMagic.zfs]: 'zfs',
  };
  return names[magic] ?? '<unknown>';
}
