import type { Stats } from '@gantry/sdk/exec';
import type { Container, StatsReading } from '@gantry/sdk/engine';
import { neverTime } from '../http/time.ts';

export interface PreviousReading {
  readonly stats: Stats;
  readonly systemCpuNs: number;
  readonly onlineCpus: number;
}

/** One document of GET /containers/{id}/stats. */
export function statsDocument(
  reading: StatsReading,
  { previous, hostMemoryBytes }: { readonly previous: PreviousReading | undefined; readonly hostMemoryBytes: number },
) {
  return {
    name: `/${reading.name}`,
    id: reading.id,
    read: reading.readAt.toISOString(),
    preread: previous?.stats.readAt.toISOString() ?? neverTime,
    num_procs: 0,
    pids_stats: { current: reading.pids.current, ...(reading.pids.limit === undefined ? {} : { limit: uint64(reading.pids.limit) }) },
    blkio_stats: blockIo(reading),
    storage_stats: {},
    cpu_stats: cpu({ stats: reading, systemCpuNs: reading.systemCpuNs, onlineCpus: reading.onlineCpus }),
    precpu_stats: previous === undefined ? noCpu : cpu(previous),
    memory_stats: memory(reading, hostMemoryBytes),
    ...(Object.keys(reading.networks).length === 0 ? {} : { networks: networks(reading) }),
  };
}

/** The same for a container that does not run: zeros with a name. */
export function idleStats({ id, name }: Container) {
  return {
    name: `/${name}`,
    id,
    read: neverTime,
    preread: neverTime,
    num_procs: 0,
    pids_stats: {},
    blkio_stats: noBlockIo,
    storage_stats: {},
    cpu_stats: noCpu,
    precpu_stats: noCpu,
    memory_stats: {},
  };
}

const noCpu = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

function cpu({ stats: { cpu: usage }, systemCpuNs, onlineCpus }: PreviousReading) {
  return {
    cpu_usage: {
      total_usage: usage.totalNs,
      ...(usage.perCpuNs === undefined ? {} : { percpu_usage: usage.perCpuNs }),
      usage_in_kernelmode: usage.systemNs,
      usage_in_usermode: usage.userNs,
    },
    system_cpu_usage: systemCpuNs,
    online_cpus: onlineCpus,
    throttling_data: { periods: usage.periods, throttled_periods: usage.throttledPeriods, throttled_time: usage.throttledNs },
  };
}

/** Without a limit of its own a container may use the host's memory, and that is what clients divide by. */
function memory({ memory: { usageBytes, maxUsageBytes, limitBytes, failCount, stat } }: Stats, hostMemoryBytes: number) {
  return {
    usage: usageBytes,
    ...(maxUsageBytes === undefined ? {} : { max_usage: maxUsageBytes }),
    stats: Object.fromEntries(Object.entries(stat).map(([key, value]) => [key, uint64(value)])),
    ...(failCount === undefined ? {} : { failcnt: failCount }),
    limit: limitBytes === undefined || limitBytes === 0 || limitBytes > hostMemoryBytes ? hostMemoryBytes : limitBytes,
  };
}

const noBlockIo = {
  io_service_bytes_recursive: null,
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};

function blockIo({ blockIo: entries }: Stats) {
  const pick = (key: 'bytes' | 'operations') =>
    entries.flatMap(({ major, minor, op, [key]: value }) => (value === undefined ? [] : [{ major, minor, op, value }]));
  const bytes = pick('bytes');
  const operations = pick('operations');
  return {
    ...noBlockIo,
    io_service_bytes_recursive: bytes.length === 0 ? null : bytes,
    io_serviced_recursive: operations.length === 0 ? null : operations,
  };
}

function networks({ networks: interfaces }: StatsReading) {
  return Object.fromEntries(
    Object.entries(interfaces).map(([name, counters]) => [
      name,
      {
        rx_bytes: counters.rxBytes,
        rx_packets: counters.rxPackets,
        rx_errors: counters.rxErrors,
        rx_dropped: counters.rxDropped,
        tx_bytes: counters.txBytes,
        tx_packets: counters.txPackets,
        tx_errors: counters.txErrors,
        tx_dropped: counters.txDropped,
      },
    ]),
  );
}

/** 2^64-1 as a double is 2^64, which Go's uint64 refuses: the largest double below it stands for "no limit". */
function uint64(value: number): number {
  return Math.min(value, 18_446_744_073_709_549_568);
}
