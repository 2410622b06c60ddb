import { invalidArgument } from '@gantry/sdk';
import type { Resources } from '@gantry/sdk/engine';

/** What the host has; limits beyond it are refused. */
export interface HostLimits {
  /** CPU numbers that are on line. */
  readonly cpus: readonly number[];
  readonly memoryNodes: readonly number[];
  /** Whether real-time budgets can be given. */
  readonly hasCpuRealtime: boolean;
}

const minimumMemory = 6 * 2 ** 20;

/** Checks limits against Docker's ranges and the host; `invalid_argument` in Docker's words. */
export function checkResources(resources: Resources, host: HostLimits): void {
  checkMemory(resources);
  checkCpu(resources, host);
  if ((resources.PidsLimit ?? 0) < -1) throw invalidArgument(`invalid PidsLimit ${resources.PidsLimit}: use -1 for no limit`);
  const weight = resources.BlkioWeight ?? 0;
  if (weight !== 0 && (weight < 10 || weight > 1000)) throw invalidArgument('Range of blkio weight is from 10 to 1000');
  for (const { Name, Soft, Hard } of resources.Ulimits ?? []) checkUlimit(Name, Soft, Hard);
  for (const rule of resources.DeviceCgroupRules ?? []) checkDeviceRule(rule);
}

function checkMemory({ Memory = 0, MemorySwap = 0, MemoryReservation = 0, MemorySwappiness }: Resources): void {
  if (Memory !== 0 && Memory < minimumMemory) throw invalidArgument('Minimum memory limit allowed is 6MB');
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory)
    throw invalidArgument('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (Memory === 0 && MemorySwap > 0)
    throw invalidArgument('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (MemoryReservation !== 0 && MemoryReservation < minimumMemory) throw invalidArgument('Minimum memory reservation allowed is 6MB');
  if (Memory > 0 && MemoryReservation > Memory)
    throw invalidArgument('Minimum memory limit can not be less than memory reservation limit, see usage');
  if (typeof MemorySwappiness === 'number' && (MemorySwappiness < -1 || MemorySwappiness > 100)) {
    throw invalidArgument(`Invalid value: ${MemorySwappiness}, valid memory swappiness range is 0-100`);
  }
}

function checkCpu(resources: Resources, { cpus, memoryNodes, hasCpuRealtime }: HostLimits): void {
  const { NanoCpus = 0, CpuPeriod = 0, CpuQuota = 0, CpuShares = 0, CpuRealtimePeriod = 0, CpuRealtimeRuntime = 0 } = resources;
  const wantsRealtime = CpuRealtimePeriod !== 0 || CpuRealtimeRuntime !== 0;
  if (wantsRealtime && !hasCpuRealtime) throw invalidArgument('Your kernel does not support CPU real-time scheduler');
  if (CpuRealtimePeriod !== 0 && CpuRealtimeRuntime > CpuRealtimePeriod)
    throw invalidArgument('cpu real-time runtime cannot be higher than cpu real-time period');
  if (CpuShares < 0) throw invalidArgument(`invalid CPU shares (${CpuShares}): value must be a positive integer`);
  if (NanoCpus !== 0 && (NanoCpus < 1e7 || NanoCpus > cpus.length * 1e9)) {
    throw invalidArgument(`range of CPUs is from 0.01 to ${cpus.length.toFixed(2)}, as there are only ${cpus.length} CPUs available`);
  }
  if (NanoCpus > 0 && CpuPeriod > 0) throw invalidArgument('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (NanoCpus > 0 && CpuQuota > 0) throw invalidArgument('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  if (CpuPeriod !== 0 && (CpuPeriod < 1_000 || CpuPeriod > 1_000_000))
    throw invalidArgument('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  if (CpuQuota > 0 && CpuQuota < 1_000) throw invalidArgument('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  checkSet(resources.CpusetCpus ?? '', cpus, 'cpuset cpus', 'CPUs');
  checkSet(resources.CpusetMems ?? '', memoryNodes, 'cpuset mems', 'memory nodes');
}

const longestSet = 8_192;

function checkSet(text: string, available: readonly number[], field: string, things: string): void {
  if (text === '') return;
  // Bounds are checked before any range is walked: "0-4294967295" must cost nothing (CVE-2018-20699).
  if (text.length > longestSet) throw invalidArgument(`Invalid value for ${field}: ${text.length} characters; at most ${longestSet}`);
  const present = new Set(available);
  const most = Math.max(...available);
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part.trim()) ?? [];
    if (first === undefined || Number(first) > Number(last))
      throw invalidArgument(`Invalid value ${text} for ${field}: invalid format: ${part}`);
    const missing = Number(last) > most || !present.has(Number(first)) || !present.has(Number(last));
    if (missing) throw invalidArgument(`Requested ${things} are not available - requested ${text}, available: ${ranges(available)}`);
  }
}

/** [0,1,2,5] → "0-2,5" */
export function ranges(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const number of numbers) {
    const open = parts.at(-1);
    if (open !== undefined && open[1] === number - 1) open[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

const ulimitNames = new Set('core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '));

function checkUlimit(name: string, soft: number, hard: number): void {
  if (!ulimitNames.has(name)) throw invalidArgument(`invalid ulimit type: ${name}`);
  if (hard !== -1 && (soft > hard || soft === -1))
    throw invalidArgument(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
}

function checkDeviceRule(rule: string): void {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(rule)) throw invalidArgument(`invalid device cgroup rule format: '${rule}'`);
}
