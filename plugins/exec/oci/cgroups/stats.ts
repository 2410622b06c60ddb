import type { Stats } from '@gantry/sdk/exec';
import { readCgroupFile, readNumber, readTable } from './files.ts';
import { cgroupFolder, cgroupVersion } from './hierarchies.ts';

/** One reading of a container's cgroup from the kernel's files: cgroup-v2.rst, and the files in cgroup-v1/. */
export function readStats(cgroup: string): Stats {
  return cgroupVersion() === 2 ? readV2(cgroup) : readV1(cgroup);
}

function readV2(cgroup: string): Stats {
  const folder = cgroupFolder(cgroup, '');
  const cpu = readTable(folder, 'cpu.stat');
  return {
    readAt: new Date(),
    cgroupVersion: 2,
    cpu: {
      totalNs: (cpu['usage_usec'] ?? 0) * 1e3,
      userNs: (cpu['user_usec'] ?? 0) * 1e3,
      systemNs: (cpu['system_usec'] ?? 0) * 1e3,
      periods: cpu['nr_periods'] ?? 0,
      throttledPeriods: cpu['nr_throttled'] ?? 0,
      throttledNs: (cpu['throttled_usec'] ?? 0) * 1e3,
    },
    memory: {
      usageBytes: readNumber(folder, 'memory.current') ?? 0,
      ...optional('maxUsageBytes', readNumber(folder, 'memory.peak')),
      ...optional('limitBytes', readNumber(folder, 'memory.max')),
      stat: readTable(folder, 'memory.stat'),
    },
    pids: readPids(folder),
    blockIo: readIoStat(folder),
  };
}

function readV1(cgroup: string): Stats {
  const memory = cgroupFolder(cgroup, 'memory');
  const cpuacct = cgroupFolder(cgroup, 'cpuacct');
  const cpu = readTable(cgroupFolder(cgroup, 'cpu'), 'cpu.stat');
  const spent = readTable(cpuacct, 'cpuacct.stat');
  const perCpu = readCgroupFile(cpuacct, 'cpuacct.usage_percpu')?.split(' ').map(Number);
  return {
    readAt: new Date(),
    cgroupVersion: 1,
    cpu: {
      totalNs: readNumber(cpuacct, 'cpuacct.usage') ?? 0,
      // In clock ticks of 1/100 s, whatever the kernel's own.
      userNs: (spent['user'] ?? 0) * 1e7,
      systemNs: (spent['system'] ?? 0) * 1e7,
      ...(perCpu && { perCpuNs: perCpu }),
      periods: cpu['nr_periods'] ?? 0,
      throttledPeriods: cpu['nr_throttled'] ?? 0,
      throttledNs: cpu['throttled_time'] ?? 0,
    },
    memory: {
      usageBytes: readNumber(memory, 'memory.usage_in_bytes') ?? 0,
      ...optional('maxUsageBytes', readNumber(memory, 'memory.max_usage_in_bytes')),
      ...optional('limitBytes', readNumber(memory, 'memory.limit_in_bytes')),
      ...optional('failCount', readNumber(memory, 'memory.failcnt')),
      stat: readTable(memory, 'memory.stat'),
    },
    pids: readPids(cgroupFolder(cgroup, 'pids')),
    blockIo: readThrottle(cgroupFolder(cgroup, 'blkio')),
  };
}

function readPids(folder: string | undefined): Stats['pids'] {
  return { current: readNumber(folder, 'pids.current') ?? 0, ...optional('limit', readNumber(folder, 'pids.max')) };
}

/** io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6". */
function readIoStat(folder: string | undefined): Stats['blockIo'] {
  return (readCgroupFile(folder, 'io.stat') ?? '').split('\n').flatMap((line) => {
    const [device = '', ...pairs] = line.split(' ');
    const [major, minor] = device.split(':').map(Number);
    if (major === undefined || minor === undefined) return [];
    const values = Object.fromEntries(pairs.map((pair) => pair.split('=')));
    return [
      { major, minor, op: 'read', bytes: Number(values['rbytes'] ?? 0), operations: Number(values['rios'] ?? 0) },
      { major, minor, op: 'write', bytes: Number(values['wbytes'] ?? 0), operations: Number(values['wios'] ?? 0) },
    ];
  });
}

/** blkio.throttle.*_recursive: "8:0 Read 4096". */
function readThrottle(folder: string | undefined): Stats['blockIo'] {
  const found = new Map<string, { major: number; minor: number; op: string; bytes?: number; operations?: number }>();
  for (const [file, fact] of [
    ['blkio.throttle.io_service_bytes_recursive', 'bytes'],
    ['blkio.throttle.io_serviced_recursive', 'operations'],
  ] as const) {
    for (const line of (readCgroupFile(folder, file) ?? '').split('\n')) {
      const [device = '', op = '', value] = line.split(' ');
      const [major, minor] = device.split(':').map(Number);
      if (value === undefined || major === undefined || minor === undefined) continue;
      const entry = found.get(`${device} ${op}`) ?? { major, minor, op: op.toLowerCase() };
      entry[fact] = Number(value);
      found.set(`${device} ${op}`, entry);
    }
  }
  return [...found.values()];
}

function optional<Key extends string>(key: Key, value: number | undefined): { readonly [K in Key]?: number } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]?: number });
}
