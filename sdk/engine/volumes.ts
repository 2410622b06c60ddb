/** Volumes as users see them. */
import type { Abortable } from '../types/index.ts';
import type { PruneResult } from './containers.ts';
import type { Filtered } from './filters.ts';
export interface VolumeInfo {
  readonly name: string;
  readonly driver: string;
  readonly mountpoint: string;
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly options: Readonly<Record<string, string>> | null;
  readonly scope: 'local' | 'global';
  readonly status?: Readonly<Record<string, string>>;
  /** The volume that this one, which nobody can write to, is a snapshot of. */
  readonly snapshotOf?: string;
  /** Filled by the disk usage report only. `sizeBytes` -1: the driver cannot say; no `capacityBytes`: there is no limit, or it is not known. */
  readonly usage?: { readonly sizeBytes: number; readonly refCount: number; readonly capacityBytes?: number };
}
export interface CreateVolume {
  /** Absent: anonymous, 64 hex digits. */
  readonly name?: string;
  readonly driver?: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}
export interface CopyVolume {
  readonly from: string;
  readonly name: string;
  /** In addition to those of the other volume; a snapshot has the same. */
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}
export interface Volumes {
  /** Abort: the driver is told, and what it may have made is taken back. */
  create(request: CreateVolume, options?: Abortable): Promise<VolumeInfo>;
  inspect(name: string): Promise<VolumeInfo>;
  /** Slow or dead drivers cost at most 2 s and a warning. */
  list(request: Filtered): Promise<{ readonly volumes: readonly VolumeInfo[]; readonly warnings: readonly string[] }>;
  remove(name: string, options: { readonly force: boolean }): Promise<void>;
  prune(request: Filtered): Promise<PruneResult>;
  /** `conflict` while a container refers to it, or when the new name is taken; `not_implemented` when the driver cannot. */
  rename(name: string, to: string): Promise<VolumeInfo>;
  /** Sets how much it can hold. `conflict` when it holds more already, or is in use and the driver can only do it when it is not. */
  resize(name: string, bytes: number): Promise<void>;
  /** A new volume with what the other one has now. `conflict` when the name is taken, or the other one is in use and the driver cannot copy it then. */
  clone(request: CopyVolume): Promise<VolumeInfo>;
  /** The same, and nobody can write to it. */
  snapshot(request: Omit<CopyVolume, 'options'>): Promise<VolumeInfo>;
}
