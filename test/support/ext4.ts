import { type LoopDisk, loopDisk, type LoopDiskOptions } from './loop-disk.ts';

export interface Ext4Options extends LoopDiskOptions {
  /** With project quotas that are kept to, for which the kernel needs CONFIG_QFMT_V2. */
  readonly projectQuotas?: boolean;
}
export type Ext4 = LoopDisk;

/** A journaled ext4 of its own, as users have it. Only inside `inNamespaces`. */
export function withExt4({ projectQuotas = false, ...options }: Ext4Options = {}): Ext4 {
  const features = projectQuotas ? ['-O', 'project,quota', '-E', 'nodiscard,quotatype=prjquota'] : ['-E', 'nodiscard'];
  return loopDisk('ext4', { ...options, mkfs: ['-q', '-F', ...features], mountOptions: projectQuotas ? ['prjquota'] : [] });
}

/** An xfs whose project quotas are kept to, for which the kernel needs CONFIG_XFS_QUOTA; at least 300 MiB. */
export function withXfs(options: LoopDiskOptions): LoopDisk {
  return loopDisk('xfs', { ...options, mkfs: ['-q', '-K'], mountOptions: ['pquota'] });
}
