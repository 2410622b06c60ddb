import type { LaunchRequest } from '../types.ts';
import type { Controller } from './layout.ts';

interface Limit {
  readonly controller: Controller;
  readonly file: string;
  readonly value: string;
  /** Older kernels, and those without swap, lack it. */
  readonly isOptional?: boolean;
}

/** The sandbox's first process, and the thread that starts the plugin. */
const ownPids = 2;
const periodUs = 100_000;

/** What to write into a group's files, in this order. Memory means memory and swap; a group out of memory dies as a whole where the kernel can do that. */
export function limitsOf({ memoryBytes, pids, cpus }: LaunchRequest['resources'], version: 1 | 2): readonly Limit[] {
  const memory = String(memoryBytes);
  const common: Limit = { controller: 'pids', file: 'pids.max', value: String(pids + ownPids) };
  const quota = cpus === undefined ? undefined : Math.max(1000, Math.round(cpus * periodUs));
  if (version === 2) {
    return [
      { controller: 'memory', file: 'memory.max', value: memory },
      { controller: 'memory', file: 'memory.swap.max', value: '0', isOptional: true },
      { controller: 'memory', file: 'memory.oom.group', value: '1', isOptional: true },
      common,
      ...(quota === undefined ? [] : [{ controller: 'cpu', file: 'cpu.max', value: `${quota} ${periodUs}` } as const]),
    ];
  }
  return [
    { controller: 'memory', file: 'memory.limit_in_bytes', value: memory },
    { controller: 'memory', file: 'memory.memsw.limit_in_bytes', value: memory, isOptional: true },
    common,
    ...(quota === undefined
      ? []
      : ([
          { controller: 'cpu', file: 'cpu.cfs_period_us', value: String(periodUs) },
          { controller: 'cpu', file: 'cpu.cfs_quota_us', value: String(quota) },
        ] as const)),
  ];
}
