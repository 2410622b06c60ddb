import { existsSync, readFileSync } from 'node:fs';
import type { HostLimits } from './validate/index.ts';

/** Which CPUs and memory nodes this machine has on line; read once. */
export function hostLimits(): HostLimits {
  known ??= {
    cpus: parseRanges(readText('/sys/devices/system/cpu/online')),
    memoryNodes: parseRanges(readText('/sys/devices/system/node/online')),
    // Of CONFIG_RT_GROUP_SCHED; cgroup v2 has none.
    hasCpuRealtime: existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us'),
  };
  return known;
}

let known: HostLimits | undefined;

/** "0-3,8" */
function parseRanges(text: string): readonly number[] {
  return text.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** A machine without NUMA has no such file, and node 0. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '0';
  }
}
