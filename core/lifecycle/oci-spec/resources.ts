import { statSync } from 'node:fs';
import { invalidArgument } from '@gantry/sdk';
import { deviceNumbers } from '@gantry/sdk/linux';
import type { Resources } from '@gantry/sdk/engine';

/** linux.resources; runtimes translate its v1 words to cgroup v2 themselves. Absent fields set no limit. */
export function linuxResources(resources: Resources, deviceRules: readonly DeviceRule[]): Readonly<Record<string, unknown>> {
  const memory = memoryLimits(resources);
  const cpu = cpuLimits(resources);
  const blockIo = blockIoLimits(resources);
  const pids = resources.PidsLimit ?? 0;
  return {
    devices: deviceRules,
    ...(isEmpty(memory) ? {} : { memory }),
    ...(isEmpty(cpu) ? {} : { cpu }),
    ...(isEmpty(blockIo) ? {} : { blockIO: blockIo }),
    ...(pids === 0 ? {} : { pids: { limit: pids } }),
  };
}

export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

const isEmpty = (object: object) => Object.keys(object).length === 0;

/** A field only when it is set: 0 means "no limit" in Docker's words. */
function given(fields: Readonly<Record<string, number | string | boolean | null | undefined>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== 0 && value !== '' && value !== false),
  );
}

function memoryLimits({
  Memory = 0,
  MemorySwap = 0,
  MemoryReservation,
  MemorySwappiness,
  OomKillDisable,
}: Resources): Record<string, unknown> {
  // Docker: a memory limit without a swap limit allows as much swap again.
  const swap = Memory > 0 && MemorySwap === 0 ? Memory * 2 : MemorySwap;
  return {
    ...given({ limit: Memory, swap, reservation: MemoryReservation, disableOOMKiller: OomKillDisable }),
    ...(typeof MemorySwappiness === 'number' && MemorySwappiness >= 0 ? { swappiness: MemorySwappiness } : {}),
  };
}

const periodUs = 100_000;

function cpuLimits({
  NanoCpus = 0,
  CpuShares,
  CpuPeriod,
  CpuQuota,
  CpuRealtimePeriod,
  CpuRealtimeRuntime,
  CpusetCpus,
  CpusetMems,
}: Resources): Record<string, unknown> {
  const quota =
    NanoCpus > 0 ? { period: periodUs, quota: Math.round((NanoCpus * periodUs) / 1e9) } : given({ period: CpuPeriod, quota: CpuQuota });
  return {
    ...quota,
    ...given({
      shares: CpuShares,
      realtimePeriod: CpuRealtimePeriod,
      realtimeRuntime: CpuRealtimeRuntime,
      cpus: CpusetCpus,
      mems: CpusetMems,
    }),
  };
}

function blockIoLimits(resources: Resources): Record<string, unknown> {
  const rates = (list: Resources['BlkioDeviceReadBps']) => (list ?? []).map(({ Path, Rate }) => ({ ...blockDevice(Path), rate: Rate }));
  const weights = (resources.BlkioWeightDevice ?? []).map(({ Path, Weight }) => ({ ...blockDevice(Path), weight: Weight }));
  const lists = {
    weightDevice: weights,
    throttleReadBpsDevice: rates(resources.BlkioDeviceReadBps),
    throttleWriteBpsDevice: rates(resources.BlkioDeviceWriteBps),
    throttleReadIOPSDevice: rates(resources.BlkioDeviceReadIOps),
    throttleWriteIOPSDevice: rates(resources.BlkioDeviceWriteIOps),
  };
  return {
    ...given({ weight: resources.BlkioWeight }),
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
  };
}

function blockDevice(path: string): { readonly major: number; readonly minor: number } {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined) throw invalidArgument(`no such device: ${path}`);
  if (!facts.isBlockDevice()) throw invalidArgument(`${path} is not a block device`);
  return deviceNumbers(facts.rdev);
}
