import type { BuildRecord } from '@gantry/sdk/engine';
import { formatOption } from '../../format/format-option.ts';
import { type Column, type ListingFlags, printListing } from '../../format/listing.ts';
import { ago, ellipsis, timestamp } from '../../format/human.ts';
import { flag } from '../../option.ts';
import { verb } from '../../verb.ts';

const columns: readonly Column<BuildRecord>[] = [
  { key: 'ID', heading: 'BUILD', show: ({ id }) => id },
  { key: 'Name', heading: 'NAME', show: (record) => ellipsis(nameOf(record), 40) },
  { key: 'Status', heading: 'STATUS', show: ({ status }) => status },
  { key: 'Steps', heading: 'STEPS', show: ({ steps }) => `${steps.completed}/${steps.total} (${steps.cached} cached)` },
  { key: 'CreatedSince', heading: 'CREATED', show: ({ startedMs }) => ago(startedMs / 1000) },
  { key: 'Duration', heading: 'DURATION', show: ({ startedMs, endedMs = Date.now() }) => `${((endedMs - startedMs) / 1000).toFixed(1)}s` },
  { key: 'CreatedAt', show: ({ startedMs }) => timestamp(startedMs / 1000) },
  { key: 'Image', show: ({ imageId }) => imageId },
  { key: 'Error', show: ({ error }) => error?.message ?? '' },
];

export const listBuilds = verb<ListingFlags>({
  arguments: '',
  options: [flag('-q, --quiet', 'Ids only'), formatOption],
  notes: 'The last 50 builds of the last 48 hours, and those that `gantry builder keep` keeps.',
  async action(context, _given, flags) {
    const { builds } = await context.client();
    printListing(context, await builds.list(), { ...flags, columns, quietly: ({ id }) => id });
  },
});

/** What it is called, or is of. */
function nameOf({ tags, remote, attributes, dockerfile }: BuildRecord): string {
  return tags[0] ?? attributes['vcs:source'] ?? (remote || dockerfile || 'Dockerfile');
}
