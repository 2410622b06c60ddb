import type { Client } from '@gantry/sdk/client';
import type { Context } from '../../context.ts';
import { authFor } from '../../credentials/index.ts';
import { printProgress } from '../../format/progress.ts';
import { flag, text, value } from '../../option.ts';
import { splitReference } from '../../parse/reference.ts';
import { refuse } from '../../parse/refuse.ts';
import { verb } from '../../verb.ts';

interface PullFlags {
  readonly platform?: string;
  readonly quiet?: boolean;
  readonly allTags?: boolean;
}

export const pull = verb<PullFlags>({
  arguments: '<image>',
  options: [
    value('--platform <os/arch>', 'Platform of the image', text),
    flag('-a, --all-tags', 'All tags of the repository'),
    flag('-q, --quiet', 'No progress'),
  ],
  async action(context, [image = ''], { platform, allTags = false, quiet = false }) {
    const client = await context.client();
    const { name, tag = allTags ? undefined : 'latest' } = splitReference(image);
    if (allTags && tag !== undefined) throw refuse(image, 'has a tag, and --all-tags means all of them');
    await printProgress(client.images.pull({ name, tag, platform }, authFor(context, image)), quiet ? () => undefined : context.print);
    if (quiet) context.print(image);
  },
});

/** On the way to something else: progress goes to stderr. */
export async function pullImage(
  context: Context,
  { images }: Client,
  image: string,
  { platform, quiet }: { readonly platform: string | undefined; readonly quiet: boolean },
): Promise<void> {
  const { name, tag = 'latest' } = splitReference(image);
  await printProgress(images.pull({ name, tag, platform }, authFor(context, image)), quiet ? () => undefined : context.note);
}
