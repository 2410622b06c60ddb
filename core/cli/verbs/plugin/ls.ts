import type { PluginInfo } from '@gantry/sdk/engine';
import { formatOption } from '../../format/format-option.ts';
import { type Column, type ListingFlags, printListing } from '../../format/listing.ts';
import { oneLine } from '../../format/one-line.ts';
import { flag, list } from '../../option.ts';
import { parseFilter, toFilters } from '../../parse/filter.ts';
import { verb } from '../../verb.ts';

const columns: readonly Column<PluginInfo>[] = [
  { key: 'Name', heading: 'NAME', show: ({ name }) => name },
  { key: 'Provides', heading: 'PROVIDES', show: provides },
  { key: 'Placement', heading: 'PLACEMENT', show: ({ placement }) => placement },
  { key: 'State', heading: 'STATE', show: ({ state }) => state },
  { key: 'Enabled', heading: 'ENABLED', show: ({ enabled }) => String(enabled) },
  { key: 'Version', heading: 'VERSION', show: ({ version }) => version },
  { key: 'Description', show: ({ description }) => description },
  { key: 'Source', show: ({ source }) => source },
  { key: 'Error', show: ({ error = '' }) => error },
  { key: 'ID', show: ({ id }) => id },
];

interface Flags extends ListingFlags {
  readonly filter: readonly (readonly [string, string])[];
}

export const listPlugins = verb<Flags>({
  arguments: '',
  options: [
    list('-f, --filter <key=value>', 'Only those: name, provides, state, placement, enabled, capability', parseFilter),
    flag('-q, --quiet', 'Names only'),
    formatOption,
  ],
  notes: `STATE is how it fares: discovered (not needed yet), ready, degraded, backoff (it ended, and will be started again), quarantined (it ended
too often), incompatible, misconfigured, failed, disabled. A plugin that cannot start stays enabled.

  gantry plugin ls
  gantry plugin ls -f provides=volume          # also provides=volume/nfs
  gantry plugin ls -f state=quarantined -q`,
  async action(context, _given, flags) {
    const { plugins } = await context.client();
    const rows = (await plugins.list({ filters: toFilters(flags.filter) })).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    printListing(context, rows, { ...flags, columns, quietly: ({ name }) => name });
    if (flags.format === 'json' || flags.quiet === true) return;
    for (const { name, error, hint } of rows) if (error) context.note(oneLine(`${name}: ${error}${hint ? ` (${hint})` : ''}`));
  },
});

/** "volume/nfs, log/loki"; what another plugin serves in brackets. */
function provides({ provides: all, shadowed }: PluginInfo): string {
  const drivers = all.flatMap((one) => one.drivers.map((driver) => `${one.contract}/${driver}`));
  return drivers.map((driver) => (shadowed?.includes(driver) ? `(${driver})` : driver)).join(', ');
}
