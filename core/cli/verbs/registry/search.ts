import type { SearchResult } from '@gantry/sdk/client';
import { authFor } from '../../credentials/index.ts';
import { formatOption } from '../../format/format-option.ts';
import { ellipsis } from '../../format/human.ts';
import { type Column, type ListingFlags, printListing } from '../../format/listing.ts';
import { flag, list, value } from '../../option.ts';
import { parseFilter, toFilters } from '../../parse/filter.ts';
import { parseInteger } from '../../parse/integer.ts';
import { verb } from '../../verb.ts';

interface SearchFlags extends ListingFlags {
  readonly limit?: number;
  readonly trunc: boolean;
  readonly filter: readonly (readonly [string, string])[];
}

export const search = verb<SearchFlags>({
  arguments: '<term>',
  options: [
    list('-f, --filter <key=value>', 'Only those: is-official=true, is-automated=true, stars=3', parseFilter),
    value('--limit <n>', 'At most so many, up to 100 (default: 25)', parseInteger(1, 100)),
    flag('--no-trunc', 'Whole descriptions'),
    formatOption,
  ],
  notes: `Asks Docker Hub, or the registry that the term begins with; one that cannot search is asked for all its names.

  gantry search busybox
  gantry search reg.example:5000/app`,
  async action(context, [term = ''], flags) {
    const client = await context.client();
    const found = await client.system.search({ term, limit: flags.limit, filters: toFilters(flags.filter) }, authFor(context, term));
    const yes = (is: boolean): string => (is ? '[OK]' : '');
    const columns: readonly Column<SearchResult>[] = [
      { key: 'Name', heading: 'NAME', show: ({ name }) => name },
      { key: 'Description', heading: 'DESCRIPTION', show: ({ description }) => (flags.trunc ? ellipsis(description, 45) : description) },
      { key: 'StarCount', heading: 'STARS', show: ({ star_count: stars }) => String(stars) },
      { key: 'IsOfficial', heading: 'OFFICIAL', show: ({ is_official: isOfficial }) => yes(isOfficial) },
      { key: 'IsAutomated', show: ({ is_automated: isAutomated }) => yes(isAutomated) },
    ];
    printListing(context, found, { ...flags, columns, quietly: ({ name }) => name });
  },
});
