import type { DiskUsageAnswer } from '@gantry/sdk/client';
import { humanSize } from '../../format/human.ts';
import { type Format, formatOption } from '../../format/format-option.ts';
import { type Column, printListing } from '../../format/listing.ts';
import { flag } from '../../option.ts';
import { verb } from '../../verb.ts';
import { printEach } from './df-verbose.ts';

interface Row {
  readonly type: string;
  readonly total: number;
  readonly active: number;
  readonly bytes: number;
  readonly reclaimableBytes: number;
}

const columns: readonly Column<Row>[] = [
  { key: 'Type', heading: 'TYPE', show: ({ type }) => type },
  { key: 'TotalCount', heading: 'TOTAL', show: ({ total }) => String(total) },
  { key: 'Active', heading: 'ACTIVE', show: ({ active }) => String(active) },
  { key: 'Size', heading: 'SIZE', show: ({ bytes }) => humanSize(bytes, 4) },
  { key: 'Reclaimable', heading: 'RECLAIMABLE', show: reclaimable },
];

export const df = verb<{ readonly format?: Format; readonly verbose?: boolean }>({
  arguments: '',
  options: [formatOption, flag('-v, --verbose', 'Each image, container and volume')],
  async action(context, _given, flags) {
    const { system } = await context.client();
    const usage = await system.diskUsage();
    if (flags.verbose === true) return printEach(context, usage, flags.format);
    const rows = [imageRow(usage), containerRow(usage), volumeRow(usage), ...blobRow(usage)];
    printListing(context, rows, { ...flags, columns });
  },
});

function reclaimable({ bytes, reclaimableBytes }: Row): string {
  const share = bytes > 0 ? ` (${Math.floor((reclaimableBytes / bytes) * 100)}%)` : '';
  return `${humanSize(reclaimableBytes, 4)}${share}`;
}

/** Layers that images share count once. Other engines do not say what is reclaimable: it is at most what no image in use has for itself. */
function imageRow({ Images, LayersSize = 0, ImageUsage }: DiskUsageAnswer): Row {
  const images = Images ?? [];
  const used = images.filter(({ Containers = 0 }) => Containers > 0);
  const usedBytes = used.reduce((sum, { Size, SharedSize = 0 }) => sum + Size - Math.max(0, SharedSize), 0);
  return row('Images', {
    total: images.length,
    active: used.length,
    bytes: LayersSize,
    reclaimableBytes: ImageUsage?.Reclaimable ?? Math.max(0, LayersSize - usedBytes),
  });
}

/** Layers are kept as they came as well: images take that much more. */
function blobRow({ BlobUsage }: DiskUsageAnswer): readonly Row[] {
  if (BlobUsage === undefined) return [];
  const { TotalCount: total, TotalSize: bytes, Reclaimable: reclaimableBytes } = BlobUsage;
  return [row('Image Blobs', { total, active: total, bytes, reclaimableBytes })];
}

function containerRow({ Containers }: DiskUsageAnswer): Row {
  const containers = Containers ?? [];
  const idle = containers.filter(({ State }) => !['running', 'paused', 'restarting'].includes(State.toLowerCase()));
  const size = (rows: typeof containers): number => rows.reduce((sum, { SizeRw = 0 }) => sum + SizeRw, 0);
  return row('Containers', {
    total: containers.length,
    active: containers.length - idle.length,
    bytes: size(containers),
    reclaimableBytes: size(idle),
  });
}

function volumeRow({ Volumes }: DiskUsageAnswer): Row {
  const volumes = Volumes ?? [];
  const idle = volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) === 0);
  const size = (rows: typeof volumes): number => rows.reduce((sum, { UsageData }) => sum + Math.max(0, UsageData?.Size ?? 0), 0);
  return row('Local Volumes', {
    total: volumes.length,
    active: volumes.length - idle.length,
    bytes: size(volumes),
    reclaimableBytes: size(idle),
  });
}

function row(type: string, counts: Omit<Row, 'type'>): Row {
  return { type, ...counts };
}
