import type { ContainerSummary } from '@gantry/sdk/client';
import { formatOption } from '../../format/format-option.ts';
import { type Column, type ListingFlags, printListing } from '../../format/listing.ts';
import { ago, ellipsis, humanSize, shortId, timestamp } from '../../format/human.ts';
import { showPorts } from '../../format/ports.ts';
import { flag, list, value } from '../../option.ts';
import { parseFilter, toFilters } from '../../parse/filter.ts';
import { parseInteger } from '../../parse/integer.ts';
import { verb } from '../../verb.ts';

interface PsFlags extends ListingFlags {
  readonly all?: boolean;
  readonly last?: number;
  readonly latest?: boolean;
  readonly size?: boolean;
  readonly trunc: boolean;
  readonly filter: readonly (readonly [string, string])[];
}

export const ps = verb<PsFlags>({
  arguments: '',
  options: [
    flag('-a, --all', 'Also those that do not run'),
    list('-f, --filter <key=value>', 'Only those, e.g. status=exited, label=x, name=web', parseFilter),
    value('-n, --last <number>', 'The newest, whatever their state', parseInteger(-1)),
    flag('-l, --latest', 'The newest one'),
    flag('-q, --quiet', 'Ids only'),
    flag('-s, --size', 'With sizes'),
    flag('--no-trunc', 'Whole ids and commands'),
    formatOption,
  ],
  async action(context, _given, flags) {
    const { containers } = await context.client();
    const limit = flags.latest === true ? 1 : flags.last;
    const rows = await containers.list({ all: flags.all === true, limit, size: flags.size === true, filters: toFilters(flags.filter) });
    const id = ({ Id }: ContainerSummary): string => (flags.trunc ? shortId(Id) : Id);
    printListing(context, rows, { ...flags, columns: columns(id, flags), quietly: id });
  },
});

function columns(id: (row: ContainerSummary) => string, { trunc, size }: PsFlags): readonly Column<ContainerSummary>[] {
  return [
    { key: 'ID', heading: 'CONTAINER ID', show: id },
    { key: 'Image', heading: 'IMAGE', show: ({ Image }) => (trunc ? Image.replace(/^sha256:([0-9a-f]{12})[0-9a-f]*$/, '$1') : Image) },
    { key: 'Command', heading: 'COMMAND', show: ({ Command }) => `"${trunc ? ellipsis(Command, 20) : Command}"` },
    { key: 'RunningFor', heading: 'CREATED', show: ({ Created }) => ago(Created) },
    { key: 'Status', heading: 'STATUS', show: ({ Status }) => Status },
    { key: 'Ports', heading: 'PORTS', show: ({ Ports }) => showPorts(Ports ?? []) },
    { key: 'Names', heading: 'NAMES', show: names },
    {
      key: 'Size',
      heading: size === true ? 'SIZE' : undefined,
      show: sizes,
    },
    { key: 'CreatedAt', show: ({ Created }) => timestamp(Created) },
    { key: 'State', show: ({ State }) => State },
    {
      key: 'Labels',
      show: ({ Labels }) =>
        Object.entries(Labels ?? {})
          .map(([key, label]) => `${key}=${label}`)
          .join(','),
    },
    { key: 'Mounts', show: ({ Mounts }) => (Mounts ?? []).map(({ Name, Source }) => Name ?? Source ?? '').join(',') },
    { key: 'Networks', show: ({ NetworkSettings }) => Object.keys(NetworkSettings?.Networks ?? {}).join(',') },
  ];
}

/** The first is its own; those with a further slash are links. */
function names({ Names }: ContainerSummary): string {
  return Names.map((name) => name.replace(/^\//, ''))
    .filter((name) => !name.includes('/'))
    .join(',');
}

function sizes({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  return SizeRootFs > 0 ? `${humanSize(SizeRw)} (virtual ${humanSize(SizeRootFs)})` : humanSize(SizeRw);
}
