/** Volumes as users see them. */
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
  /** Filled by the disk usage report only. */
  readonly usage?: { readonly sizeBytes: number; readonly refCount: number };
}
export interface CreateVolume {
  /** Absent: anonymous, 64 hex digits. */
  readonly name?: string;
  readonly driver?: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}
export interface Volumes {
  create(request: CreateVolume): Promise<VolumeInfo>;
  inspect(name: string): Promise<VolumeInfo>;
  /** Slow or dead drivers cost at most 2 s and a warning. */
  list(request: Filtered): Promise<{ readonly volumes: readonly VolumeInfo[]; readonly warnings: readonly string[] }>;
  remove(name: string, options: { readonly force: boolean }): Promise<void>;
  prune(request: Filtered): Promise<PruneResult>;
}
