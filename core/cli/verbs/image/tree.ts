import type { ManifestSummary } from '@gantry/sdk/client';
import type { Context } from '../../context.ts';
import { humanSize, shortId } from '../../format/human.ts';
import { drawTable } from '../../format/listing.ts';
import { oneLine } from '../../format/one-line.ts';
import type { Row } from './images.ts';

/** Names, and below each the platforms that it has, with their digests. Of those that are not here the size is not known. */
export function printTree(context: Context, rows: readonly Row[], { trunc }: { readonly trunc: boolean }): void {
  const short = (id: string): string => (trunc ? shortId(id) : id);
  const lines = rows.flatMap(({ image, repository, tag }) => {
    const manifests = image.Manifests ?? [];
    return [
      [`${repository}:${tag}`, short(image.Id), humanSize(image.Size)],
      ...manifests.map((manifest, at) => {
        const branch = at === manifests.length - 1 ? '\u2514\u2500' : '\u251c\u2500';
        const size = manifest.Available ? humanSize(manifest.Size.Total) : 'not here';
        return [`${branch} ${platformOf(manifest)}`, short(manifest.ID), size];
      }),
    ];
  });
  context.print(drawTable([['IMAGE', 'ID', 'SIZE'], ...lines].map((line) => line.map(oneLine))));
}

/** "linux/arm64/v8" */
export function platformOf({ ImageData }: ManifestSummary): string {
  const { os = '', architecture = '', variant = '' } = ImageData?.Platform ?? {};
  return [os, architecture, variant].filter((part) => part !== '').join('/');
}
