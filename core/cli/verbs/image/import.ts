import { withBar } from '../../format/progress.ts';
import { list, text, value } from '../../option.ts';
import { splitReference } from '../../parse/reference.ts';
import { verb } from '../../verb.ts';
import { openInput } from './load.ts';

interface ImportFlags {
  readonly change: readonly string[];
  readonly message?: string;
  readonly platform?: string;
}

export const importImage = verb<ImportFlags>({
  arguments: '<path> [image]',
  options: [
    list('-c, --change <instruction>', 'Dockerfile instruction, e.g. \'CMD ["sh"]\'', text),
    value('-m, --message <text>', 'Comment', text),
    value('--platform <os/arch>', 'Platform of the image', text),
  ],
  notes: "A tar ('-' is stdin), or a folder with the files.",
  async action(context, [file = '-', reference], { change: changes, message, platform }) {
    const { stream, sizeBytes } = openInput(file);
    const { images } = await context.client();
    const { name: repository, tag } = reference === undefined ? { name: undefined, tag: undefined } : splitReference(reference);
    for await (const { status } of images.import(withBar('importing', stream, sizeBytes), {
      repository,
      tag,
      message,
      changes,
      platform,
    })) {
      if (status !== undefined) context.print(status);
    }
  },
});
