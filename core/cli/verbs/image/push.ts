import { authFor } from '../../credentials/index.ts';
import { printProgress } from '../../format/progress.ts';
import { flag } from '../../option.ts';
import { splitReference } from '../../parse/reference.ts';
import { refuse } from '../../parse/refuse.ts';
import { verb } from '../../verb.ts';

export const push = verb<{ readonly quiet?: boolean; readonly allTags?: boolean }>({
  arguments: '<image>',
  options: [flag('-a, --all-tags', 'All tags of the repository'), flag('-q, --quiet', 'No progress')],
  async action(context, [image = ''], { allTags = false, quiet = false }) {
    const { images } = await context.client();
    const { name, tag = allTags ? undefined : 'latest' } = splitReference(image);
    if (allTags && tag !== undefined) throw refuse(image, 'has a tag, and --all-tags means all of them');
    await printProgress(images.push({ name, tag }, authFor(context, image)), quiet ? () => undefined : context.print);
  },
});
