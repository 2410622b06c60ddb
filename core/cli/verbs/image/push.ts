import { authFor } from '../../credentials/index.ts';
import { printProgress } from '../../format/progress.ts';
import { flag, text, value } from '../../option.ts';
import { splitReference } from '../../parse/reference.ts';
import { refuse } from '../../parse/refuse.ts';
import { verb } from '../../verb.ts';

export const push = verb<{ readonly quiet?: boolean; readonly allTags?: boolean; readonly platform?: string }>({
  arguments: '<image>',
  options: [
    flag('-a, --all-tags', 'All tags of the repository'),
    flag('-q, --quiet', 'No progress'),
    value('--platform <os/arch>', 'Of several platforms, only this one', text),
  ],
  async action(context, [image = ''], { allTags = false, quiet = false, platform }) {
    const { images } = await context.client();
    const { name, tag = allTags ? undefined : 'latest' } = splitReference(image);
    if (allTags && tag !== undefined) throw refuse(image, 'has a tag, and --all-tags means all of them');
    await printProgress(images.push({ name, tag, platform }, authFor(context, image)), quiet ? () => undefined : context.print);
  },
});
