import { readTable } from './files.ts';
import { cgroupFolder, cgroupVersion } from './hierarchies.ts';

/** Whether the kernel killed something in this cgroup for want of memory: memory.events or memory.oom_control count it. */
export function wasOomKilled(cgroup: string): boolean {
  const file = cgroupVersion() === 2 ? 'memory.events' : 'memory.oom_control';
  return (readTable(cgroupFolder(cgroup, 'memory'), file)['oom_kill'] ?? 0) > 0;
}
