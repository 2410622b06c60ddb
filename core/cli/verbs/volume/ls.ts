import type { Client, VolumeAnswer } from '@gantry/sdk/client';
import { formatOption } from '../../format/format-option.ts';
import { humanSize } from '../../format/human.ts';
import { type Column, type ListingFlags, printListing } from '../../format/listing.ts';
import { flag, list } from '../../option.ts';
import { parseFilter, toFilters } from '../../parse/filter.ts';
import { verb } from '../../verb.ts';

interface VolumeListFlags extends ListingFlags {
  readonly filter: readonly (readonly [string, string])[];
  readonly size?: boolean;
}

const columns: readonly Column<VolumeAnswer>[] = [
  { key: 'Driver', heading: 'DRIVER', show: ({ Driver }) => Driver },
  { key: 'Name', heading: 'VOLUME NAME', show: ({ Name }) => Name },
  { key: 'Mountpoint', show: ({ Mountpoint }) => Mountpoint },
  { key: 'Scope', show: ({ Scope }) => Scope },
  {
    key: 'Labels',
    show: ({ Labels }) =>
      Object.entries(Labels ?? {})
        .map(([key, label]) => `${key}=${label}`)
        .join(','),
  },
];

/** Of volumes that only their driver knows nobody has counted the users. */
const sizes: readonly Column<VolumeAnswer>[] = [
  { key: 'Size', heading: 'SIZE', show: ({ UsageData }) => bytes(UsageData?.Size) },
  { key: 'Limit', heading: 'LIMIT', show: ({ UsageData }) => bytes(UsageData?.Capacity, '') },
  { key: 'Links', heading: 'LINKS', show: ({ UsageData }) => String(UsageData?.RefCount ?? 0) },
];

export const listVolumes = verb<VolumeListFlags>({
  arguments: '',
  options: [
    list('-f, --filter <key=value>', 'Only those, e.g. dangling=true, driver=local', parseFilter),
    flag('-q, --quiet', 'Names only'),
    flag('-s, --size', 'With what they hold, their limits, and how many containers refer to them'),
    formatOption,
  ],
  async action(context, _given, flags) {
    const client = await context.client();
    const { Volumes, Warnings } = await client.volumes.list({ filters: toFilters(flags.filter) });
    for (const warning of Warnings ?? []) context.note(`WARNING: ${warning}`);
    const rows = (Volumes ?? []).toSorted((a, b) => (a.Name < b.Name ? -1 : 1));
    const quietly = ({ Name }: VolumeAnswer): string => Name;
    if (flags.size !== true) return printListing(context, rows, { ...flags, columns, quietly });
    printListing(context, await withSizes(client, rows), { ...flags, columns: [...columns, ...sizes], quietly });
  },
});

async function withSizes({ system }: Client, rows: readonly VolumeAnswer[]): Promise<readonly VolumeAnswer[]> {
  const { Volumes } = await system.diskUsage({ type: ['volume'] });
  const usage = new Map((Volumes ?? []).map(({ Name, UsageData }) => [Name, UsageData ?? null]));
  return rows.map((row) => ({ ...row, UsageData: usage.get(row.Name) ?? null }));
}

function bytes(count = -1, unknown = 'N/A'): string {
  return count < 0 ? unknown : humanSize(count, 3);
}
