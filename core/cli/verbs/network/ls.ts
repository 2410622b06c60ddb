import type { NetworkAnswer } from '@gantry/sdk/client';
import { formatOption } from '../../format/format-option.ts';
import { type Column, type ListingFlags, printListing } from '../../format/listing.ts';
import { shortId } from '../../format/human.ts';
import { flag, list } from '../../option.ts';
import { parseFilter, toFilters } from '../../parse/filter.ts';
import { verb } from '../../verb.ts';

interface NetworkListFlags extends ListingFlags {
  readonly trunc: boolean;
  readonly filter: readonly (readonly [string, string])[];
}

export const listNetworks = verb<NetworkListFlags>({
  arguments: '',
  options: [
    list('-f, --filter <key=value>', 'Only those, e.g. driver=bridge, name=x', parseFilter),
    flag('-q, --quiet', 'Ids only'),
    flag('--no-trunc', 'Whole ids'),
    formatOption,
  ],
  async action(context, _given, flags) {
    const { networks } = await context.client();
    const id = ({ Id }: NetworkAnswer): string => (flags.trunc ? shortId(Id) : Id);
    const columns: readonly Column<NetworkAnswer>[] = [
      { key: 'ID', heading: 'NETWORK ID', show: id },
      { key: 'Name', heading: 'NAME', show: ({ Name }) => Name },
      { key: 'Driver', heading: 'DRIVER', show: ({ Driver }) => Driver },
      { key: 'Scope', heading: 'SCOPE', show: ({ Scope }) => Scope },
      { key: 'CreatedAt', show: ({ Created }) => Created },
      { key: 'IPv6', show: ({ EnableIPv6 }) => String(EnableIPv6) },
      { key: 'Internal', show: ({ Internal }) => String(Internal) },
      {
        key: 'Labels',
        show: ({ Labels }) =>
          Object.entries(Labels ?? {})
            .map(([key, label]) => `${key}=${label}`)
            .join(','),
      },
    ];
    const rows = (await networks.list({ filters: toFilters(flags.filter) })).toSorted((a, b) => (a.Name < b.Name ? -1 : 1));
    printListing(context, rows, { ...flags, columns, quietly: id });
  },
});
