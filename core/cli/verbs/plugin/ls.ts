import type { PluginAnswer } from '@gantry/sdk/client';
import { formatOption } from '../../format/format-option.ts';
import { type Column, type ListingFlags, printListing } from '../../format/listing.ts';
import { flag } from '../../option.ts';
import { verb } from '../../verb.ts';

const columns: readonly Column<PluginAnswer>[] = [
  { key: 'Name', heading: 'NAME', show: ({ Name }) => Name },
  { key: 'Provides', heading: 'PROVIDES', show: provides },
  { key: 'Enabled', heading: 'ENABLED', show: ({ Enabled }) => String(Enabled) },
  { key: 'Description', heading: 'DESCRIPTION', show: ({ Config }) => Config?.Description ?? '' },
  { key: 'ID', show: ({ Id }) => Id ?? '' },
];

export const listPlugins = verb<ListingFlags>({
  arguments: '',
  options: [flag('-q, --quiet', 'Names only'), formatOption],
  async action(context, _given, flags) {
    const { plugins } = await context.client();
    printListing(context, await plugins.list(), { ...flags, columns, quietly: ({ Name }) => Name });
  },
});

function provides({ Config }: PluginAnswer): string {
  const types = Config?.Interface?.Types ?? [];
  return types.map((type) => (typeof type === 'string' ? type : [type.Prefix, type.Capability].filter(Boolean).join('.'))).join(', ');
}
