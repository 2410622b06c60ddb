import type { ContainerSummary, DiskUsageAnswer, ImageSummary, VolumeAnswer } from '@gantry/sdk/client';
import type { Context } from '../../context.ts';
import type { Format } from '../../format/format-option.ts';
import { ago, ellipsis, humanSize, shortId } from '../../format/human.ts';
import { type Column, printListing } from '../../format/listing.ts';
import { splitReference } from '../../parse/reference.ts';

/** One table for each kind, as Docker's; in JSON the whole answer. */
export function printEach(context: Context, usage: DiskUsageAnswer, format: Format | undefined): void {
  if (format === 'json') return context.print(JSON.stringify(usage));
  context.print('Images space usage:\n');
  printListing(context, usage.Images ?? [], { columns: images });
  context.print('\nContainers space usage:\n');
  printListing(context, usage.Containers ?? [], { columns: containers });
  context.print('\nLocal Volumes space usage:\n');
  printListing(
    context,
    (usage.Volumes ?? []).toSorted((a, b) => (a.Name < b.Name ? -1 : 1)),
    { columns: volumes },
  );
}

const size = (bytes: number | undefined): string => (bytes === undefined || bytes < 0 ? 'N/A' : humanSize(bytes, 3));
const nameOf = ({ RepoTags }: ImageSummary) => splitReference(RepoTags?.[0] ?? '<none>:<none>');

const images: readonly Column<ImageSummary>[] = [
  { key: 'Repository', heading: 'REPOSITORY', show: (image) => nameOf(image).name },
  { key: 'Tag', heading: 'TAG', show: (image) => nameOf(image).tag ?? '<none>' },
  { key: 'ID', heading: 'IMAGE ID', show: ({ Id }) => shortId(Id) },
  { key: 'CreatedSince', heading: 'CREATED', show: ({ Created }) => ago(Created) },
  { key: 'Size', heading: 'SIZE', show: ({ Size }) => size(Size) },
  { key: 'SharedSize', heading: 'SHARED SIZE', show: ({ SharedSize }) => size(SharedSize) },
  { key: 'UniqueSize', heading: 'UNIQUE SIZE', show: ({ Size, SharedSize = -1 }) => size(SharedSize < 0 ? -1 : Size - SharedSize) },
  { key: 'Containers', heading: 'CONTAINERS', show: ({ Containers = 0 }) => String(Math.max(0, Containers)) },
];
const containers: readonly Column<ContainerSummary>[] = [
  { key: 'ID', heading: 'CONTAINER ID', show: ({ Id }) => shortId(Id) },
  { key: 'Image', heading: 'IMAGE', show: ({ Image }) => Image },
  { key: 'Command', heading: 'COMMAND', show: ({ Command }) => JSON.stringify(ellipsis(Command, 20)) },
  {
    key: 'LocalVolumes',
    heading: 'LOCAL VOLUMES',
    show: ({ Mounts }) => String((Mounts ?? []).filter(({ Type }) => Type === 'volume').length),
  },
  { key: 'Size', heading: 'SIZE', show: ({ SizeRw = 0 }) => size(SizeRw) },
  { key: 'CreatedSince', heading: 'CREATED', show: ({ Created }) => ago(Created) },
  { key: 'Status', heading: 'STATUS', show: ({ Status }) => Status },
  { key: 'Names', heading: 'NAMES', show: ({ Names }) => (Names ?? []).map((name) => name.replace(/^\//, '')).join(',') },
];
const volumes: readonly Column<VolumeAnswer>[] = [
  { key: 'Name', heading: 'VOLUME NAME', show: ({ Name }) => Name },
  { key: 'Links', heading: 'LINKS', show: ({ UsageData }) => String(UsageData?.RefCount ?? 0) },
  { key: 'Size', heading: 'SIZE', show: ({ UsageData }) => size(UsageData?.Size) },
  { key: 'Limit', heading: 'LIMIT', show: ({ UsageData }) => (UsageData?.Capacity === undefined ? '' : size(UsageData.Capacity)) },
];
