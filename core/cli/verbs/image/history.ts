import type { HistoryAnswer } from '@gantry/sdk/client';
import { formatOption } from '../../format/format-option.ts';
import { type Column, type ListingFlags, printListing } from '../../format/listing.ts';
import { ago, ellipsis, humanSize, shortId, timestamp } from '../../format/human.ts';
import { flag } from '../../option.ts';
import { verb } from '../../verb.ts';

interface HistoryFlags extends ListingFlags {
  readonly trunc: boolean;
}

export const history = verb<HistoryFlags>({
  arguments: '<image>',
  options: [flag('-q, --quiet', 'Ids only'), flag('--no-trunc', 'Whole commands'), formatOption],
  async action(context, [image = ''], flags) {
    const { images } = await context.client();
    const id = ({ Id }: HistoryAnswer): string => (flags.trunc ? shortId(Id) : Id);
    const columns: readonly Column<HistoryAnswer>[] = [
      { key: 'ID', heading: 'IMAGE', show: id },
      { key: 'CreatedSince', heading: 'CREATED', show: ({ Created }) => (Created > 0 ? ago(Created) : 'N/A') },
      {
        key: 'CreatedBy',
        heading: 'CREATED BY',
        show: ({ CreatedBy }) => (flags.trunc ? ellipsis(CreatedBy.replaceAll('\t', ' '), 45) : CreatedBy),
      },
      { key: 'Size', heading: 'SIZE', show: ({ Size }) => humanSize(Size) },
      { key: 'Comment', heading: 'COMMENT', show: ({ Comment }) => Comment },
      { key: 'CreatedAt', show: ({ Created }) => timestamp(Created) },
    ];
    printListing(context, await images.history(image), { ...flags, columns, quietly: id });
  },
});
