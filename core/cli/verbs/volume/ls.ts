import type { VolumeAnswer } from '@gantry/sdk/client';
import { formatOption } from '../../format/format-option.ts';
import { type Column, type ListingFlags, printListing } from '../../format/listing.ts';
import { flag, list } from '../../option.ts';
import { parseFilter, toFilters } from '../../parse/filter.ts';
import { verb } from '../../verb.ts';

interface VolumeListFlags extends ListingFlags {
  readonly filter: readonly (readonly [string, string])[];
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

export const listVolumes = verb<VolumeListFlags>({
  arguments: '',
  options: [
    list('-f, --filter <key=value>', 'Only those, e.g. dangling=true, driver=local', parseFilter),
    flag('-q, --quiet', 'Names only'),
    formatOption,
  ],
  async action(context, _given, flags) {
    const { volumes } = await context.client();
    const { Volumes, Warnings } = await volumes.list({ filters: toFilters(flags.filter) });
    for (const warning of Warnings ?? []) context.note(`WARNING: ${warning}`);
    const rows = (Volumes ?? []).toSorted((a, b) => (a.Name < b.Name ? -1 : 1));
    printListing(context, rows, { ...flags, columns, quietly: ({ Name }) => Name });
  },
});
