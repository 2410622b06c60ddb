import { type Disk, type DiskOptions, withDisk } from './disk.ts';

export interface Ext4Options extends DiskOptions {
  /** With project quotas that are kept to, for which the kernel needs CONFIG_QFMT_V2. */
  readonly projectQuotas?: boolean;
}
export type Ext4 = Disk;

/** A journaled ext4 of its own: see `withDisk`. */
export function withExt4({ projectQuotas = false, ...options }: Ext4Options = {}): Ext4 {
  if (!projectQuotas) return withDisk('ext4', options);
  return withDisk('ext4', { ...options, features: ['-O', 'project,quota', '-E', 'quotatype=prjquota'], mountOptions: 'prjquota' });
}

/** An xfs whose project quotas are kept to, for which the kernel needs CONFIG_XFS_QUOTA; at least 300 MiB. */
export function withXfs(options: DiskOptions): Disk {
  return withDisk('xfs', { ...options, mountOptions: 'pquota' });
}
