import { type Disk, type DiskOptions, withDisk } from './disk.ts';

export type Ext4 = Disk;
export type Ext4Options = DiskOptions;

/** A journaled ext4 of its own: see `withDisk`. */
export function withExt4(options: Ext4Options = {}): Ext4 {
  return withDisk('ext4', options);
}
