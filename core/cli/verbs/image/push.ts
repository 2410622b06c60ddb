import { authFor } from '../../credentials/index.ts';
import { printProgress } from '../../format/progress.ts';
import { flag } from '../../option.ts';
import { splitReference } from '../../parse/reference.ts';
import { verb } from '../../verb.ts';

export const push = verb<{ readonly quiet?: boolean }>({
  arguments: '<image>',
  options: [flag('-q, --quiet', 'No progress')],
  async action(context, [image = ''], { quiet = false }) {
    const { images } = await context.client();
    const { name, tag = 'latest' } = splitReference(image);
    await printProgress(images.push({ name, tag }, authFor(context, image)), quiet ? () => undefined : context.print);
  },
});
