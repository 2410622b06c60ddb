import { text, value } from '../../option.ts';
import { writeTar } from '../../format/output-file.ts';
import { verb } from '../../verb.ts';

export const exportContainer = verb<{ readonly output?: string }>({
  arguments: '<container>',
  options: [value('-o, --output <file>', 'Write to this file instead of stdout', text)],
  async action(context, [container = ''], { output }) {
    const { containers } = await context.client();
    await writeTar(output, 'exporting', async () => await containers.export(container));
  },
});
