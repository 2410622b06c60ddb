import { flag, list, text, value } from '../../option.ts';
import { splitReference } from '../../parse/reference.ts';
import { verb } from '../../verb.ts';

interface CommitFlags {
  readonly author?: string;
  readonly message?: string;
  readonly change: readonly string[];
  readonly pause: boolean;
}

export const commit = verb<CommitFlags>({
  arguments: '<container> [image]',
  options: [
    value('-a, --author <name>', 'Who made it', text),
    value('-m, --message <text>', 'What changed', text),
    list('-c, --change <instruction>', 'Dockerfile instruction, e.g. \'CMD ["sh"]\'', text),
    flag('-p, --pause', 'Freeze the container meanwhile (default: true)').default(true),
  ],
  async action(context, [container = '', image], { author, message: comment, change: changes, pause }) {
    const { containers } = await context.client();
    const { name: repository, tag } = image === undefined ? { name: undefined, tag: undefined } : splitReference(image);
    context.print((await containers.commit(container, { repository, tag, author, comment, changes, pause })).Id);
  },
});
