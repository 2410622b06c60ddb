import { existsSync, globSync, readFileSync } from 'node:fs';
import type { SystemInfo } from '@gantry/sdk/engine';

type Limits = SystemInfo['limits'];

/** What the kernel can limit by the cgroups that are mounted here; cgroups(7). */
export function hostLimits(version: 1 | 2): Limits {
  return version === 2 ? ofUnified() : ofHierarchies();
}

/** The root of a v2 tree has no files of limits: any group below it tells. */
function ofUnified(): Limits {
  const controllers = new Set(readText('/sys/fs/cgroup/cgroup.controllers').split(' '));
  const cpu = controllers.has('cpu');
  return {
    memory: controllers.has('memory'),
    swap: globSync('/sys/fs/cgroup/*/memory.swap.max').length > 0,
    cpuPeriod: cpu,
    cpuQuota: cpu,
    cpuShares: cpu,
    cpuset: controllers.has('cpuset'),
    pids: controllers.has('pids'),
    oomKillDisable: false,
  };
}

function ofHierarchies(): Limits {
  const has = (file: string): boolean => existsSync(`/sys/fs/cgroup/${file}`);
  return {
    memory: has('memory/memory.limit_in_bytes'),
    swap: has('memory/memory.memsw.limit_in_bytes'),
    cpuPeriod: has('cpu/cpu.cfs_period_us'),
    cpuQuota: has('cpu/cpu.cfs_quota_us'),
    cpuShares: has('cpu/cpu.shares'),
    cpuset: has('cpuset/cpuset.cpus'),
    pids: has('pids'),
    oomKillDisable: has('memory/memory.oom_control'),
  };
}

const wordsOfLimits = {
  memory: 'memory limit',
  swap: 'swap limit',
  cpuPeriod: 'cpu cfs period',
  cpuQuota: 'cpu cfs quota',
  cpuShares: 'cpu shares',
  cpuset: 'cpuset',
  pids: 'pids limit',
} as const;

/** In Docker's words, which its CLI shows below everything else. */
export function warningsOf(limits: Limits, host: Pick<SystemInfo, 'forwardsIpv4'>): readonly string[] {
  const lacking = Object.entries(wordsOfLimits).filter(([name]) => !limits[name as keyof Limits]);
  return [
    ...lacking.map(([, words]) => `WARNING: No ${words} support`),
    ...(host.forwardsIpv4 ? [] : ['WARNING: IPv4 forwarding is disabled']),
  ];
}

export function forwardsIpv4(): boolean {
  return readText('/proc/sys/net/ipv4/ip_forward') === '1';
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
