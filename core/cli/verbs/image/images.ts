import type { ImageSummary } from '@gantry/sdk/client';
import { formatOption } from '../../format/format-option.ts';
import { type Column, type ListingFlags, printListing } from '../../format/listing.ts';
import { ago, humanSize, shortId, timestamp } from '../../format/human.ts';
import { flag, list } from '../../option.ts';
import { parseFilter, toFilters } from '../../parse/filter.ts';
import { splitReference } from '../../parse/reference.ts';
import { verb } from '../../verb.ts';
import { platformOf, printTree } from './tree.ts';

interface ImagesFlags extends ListingFlags {
  readonly all?: boolean;
  readonly digests?: boolean;
  readonly tree?: boolean;
  readonly trunc: boolean;
  readonly filter: readonly (readonly [string, string])[];
}

/** One line per name of an image. */
export interface Row {
  readonly image: ImageSummary;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

const none = '<none>';

export const images = verb<ImagesFlags>({
  arguments: '[repository[:tag]]',
  options: [
    flag('-a, --all', 'Also intermediate ones'),
    flag('--digests', 'With digests'),
    list('-f, --filter <key=value>', 'Only those, e.g. dangling=true, reference=busybox*', parseFilter),
    flag('-q, --quiet', 'Ids only'),
    flag('--no-trunc', 'Whole ids'),
    flag('--tree', 'With the platforms that each name has'),
    formatOption,
  ],
  async action(context, [reference], flags) {
    const client = await context.client();
    const filters = toFilters([...flags.filter, ...(reference === undefined ? [] : [['reference', reference] as const])]);
    const manifests = flags.tree === true || flags.format !== undefined;
    const found = await client.images.list({ all: flags.all === true, digests: flags.digests === true, manifests, filters });
    if (flags.tree === true && flags.format === undefined) return printTree(context, found.flatMap(rowsOf), flags);
    const id = ({ image }: Row): string => (flags.trunc ? shortId(image.Id) : image.Id);
    printListing(context, found.flatMap(rowsOf), { ...flags, columns: columns(id, flags.digests === true), quietly: id });
  },
});

function rowsOf(image: ImageSummary): readonly Row[] {
  const digests = (image.RepoDigests ?? []).map(splitReference).filter(({ name }) => name !== none);
  const tags = (image.RepoTags ?? []).filter((reference) => reference !== `${none}:${none}`).map(splitReference);
  const digestOf = (name: string): string => digests.find((digest) => digest.name === name)?.tag ?? none;
  if (tags.length > 0) return tags.map(({ name, tag }) => ({ image, repository: name, tag: tag ?? none, digest: digestOf(name) }));
  if (digests.length > 0) return digests.map(({ name, tag }) => ({ image, repository: name, tag: none, digest: tag ?? none }));
  return [{ image, repository: none, tag: none, digest: none }];
}

function columns(id: (row: Row) => string, withDigests: boolean): readonly Column<Row>[] {
  return [
    { key: 'Repository', heading: 'REPOSITORY', show: ({ repository }) => repository },
    { key: 'Tag', heading: 'TAG', show: ({ tag }) => tag },
    { key: 'Digest', heading: withDigests ? 'DIGEST' : undefined, show: ({ digest }) => digest },
    { key: 'ID', heading: 'IMAGE ID', show: id },
    { key: 'CreatedSince', heading: 'CREATED', show: ({ image }) => (image.Created > 0 ? ago(image.Created) : 'N/A') },
    { key: 'Size', heading: 'SIZE', show: ({ image }) => humanSize(image.Size) },
    { key: 'CreatedAt', show: ({ image }) => timestamp(image.Created) },
    {
      key: 'Platforms',
      show: ({ image }) =>
        (image.Manifests ?? [])
          .filter(({ Available }) => Available)
          .map(platformOf)
          .join(', '),
    },
    { key: 'Containers', show: ({ image }) => (image.Containers === undefined || image.Containers < 0 ? 'N/A' : String(image.Containers)) },
  ];
}
