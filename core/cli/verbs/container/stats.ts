import type { Client, StatsAnswer } from '@gantry/sdk/client';
import { type Format, formatOption } from '../../format/format-option.ts';
import { type Column, drawTable } from '../../format/listing.ts';
import { binarySize, humanSize, shortId } from '../../format/human.ts';
import type { Context } from '../../context.ts';
import { flag } from '../../option.ts';
import { verb } from '../../verb.ts';

interface StatsFlags {
  readonly all?: boolean;
  readonly stream: boolean;
  readonly trunc: boolean;
  readonly format?: Format;
}

export const stats = verb<StatsFlags>({
  arguments: '[container...]',
  options: [
    flag('-a, --all', 'Also those that do not run'),
    flag('--no-stream', 'Once, then end'),
    flag('--no-trunc', 'Whole ids'),
    formatOption,
  ],
  async action(context, names, flags) {
    const client = await context.client();
    while (true) {
      const readings = await readAll(client, names, flags);
      show(context, readings, flags);
      if (!flags.stream) return;
    }
  },
});

/** One reading takes the engine a second, which paces the whole. */
async function readAll({ containers }: Client, names: readonly string[], { all }: StatsFlags): Promise<readonly StatsAnswer[]> {
  const wanted = names.length > 0 ? names : (await containers.list({ all: all === true })).map(({ Id }) => Id);
  if (wanted.length === 0) await new Promise((resolve) => setTimeout(resolve, 1000));
  const readings = wanted.map(async (name) => await Array.fromAsync(containers.stats(name, { stream: false })));
  // Named ones must be there; one that ended since it was listed is left out.
  if (names.length > 0) return (await Promise.all(readings)).flat();
  return (await Promise.allSettled(readings)).flatMap((reading) => (reading.status === 'fulfilled' ? reading.value : []));
}

function show(context: Context, readings: readonly StatsAnswer[], { stream, trunc, format }: StatsFlags): void {
  const columns = columnsFor(trunc);
  if (format === 'json') {
    for (const reading of readings)
      context.print(JSON.stringify(Object.fromEntries(columns.map(({ key, show: cell }) => [key, cell(reading)]))));
    return;
  }
  const rows = readings.map((reading) => columns.map(({ show: cell }) => cell(reading)));
  const home = stream && process.stdout.isTTY ? '\u001b[2J\u001b[H' : '';
  context.print(home + drawTable([columns.map(({ heading }) => heading ?? ''), ...rows]));
}

function columnsFor(trunc: boolean): readonly Column<StatsAnswer>[] {
  return [
    { key: 'ID', heading: 'CONTAINER ID', show: ({ id }) => (trunc ? shortId(id) : id) },
    { key: 'Name', heading: 'NAME', show: ({ name }) => name.replace(/^\//, '') },
    { key: 'CPUPerc', heading: 'CPU %', show: (reading) => percent(cpuShare(reading)) },
    {
      key: 'MemUsage',
      heading: 'MEM USAGE / LIMIT',
      show: (reading) => `${binarySize(memoryUsed(reading))} / ${binarySize(reading.memory_stats?.limit ?? 0)}`,
    },
    {
      key: 'MemPerc',
      heading: 'MEM %',
      show: (reading) => percent(memoryUsed(reading) / (reading.memory_stats?.limit || Number.POSITIVE_INFINITY)),
    },
    { key: 'NetIO', heading: 'NET I/O', show: networkIo },
    { key: 'BlockIO', heading: 'BLOCK I/O', show: blockIo },
    { key: 'PIDs', heading: 'PIDS', show: ({ pids_stats }) => String(pids_stats?.current ?? 0) },
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}

/** Of all processors together: 2 means two of them. */
function cpuShare({ cpu_stats: now, precpu_stats: before }: StatsAnswer): number {
  const used = (now?.cpu_usage?.total_usage ?? 0) - (before?.cpu_usage?.total_usage ?? 0);
  const passed = (now?.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
  return used > 0 && passed > 0 ? (used / passed) * (now?.online_cpus || 1) : 0;
}

/** Without the cache that would be given back: inactive_file on v2, total_inactive_file on v1. */
function memoryUsed({ memory_stats: memory }: StatsAnswer): number {
  const usage = memory?.usage ?? 0;
  const cache = memory?.stats?.['total_inactive_file'] ?? memory?.stats?.['inactive_file'] ?? 0;
  return cache < usage ? usage - cache : usage;
}

function networkIo({ networks }: StatsAnswer): string {
  const all = Object.values(networks ?? {});
  const sum = (key: 'rx_bytes' | 'tx_bytes'): number => all.reduce((total, one) => total + (one[key] ?? 0), 0);
  return `${humanSize(sum('rx_bytes'))} / ${humanSize(sum('tx_bytes'))}`;
}

function blockIo({ blkio_stats: block }: StatsAnswer): string {
  const sum = (op: string): number =>
    (block?.io_service_bytes_recursive ?? []).filter((one) => one.op.toLowerCase() === op).reduce((total, one) => total + one.value, 0);
  return `${humanSize(sum('read'))} / ${humanSize(sum('write'))}`;
}
