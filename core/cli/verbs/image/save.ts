import { writeTar } from '../../format/output-file.ts';
import { text, value } from '../../option.ts';
import { verb } from '../../verb.ts';

export const save = verb<{ readonly output?: string; readonly platform?: string }>({
  arguments: '<image...>',
  options: [
    value('-o, --output <file>', 'Write to this file instead of stdout', text),
    value('--platform <os/arch>', 'Of names of several platforms, only this one', text),
  ],
  async action(context, names, { output, platform }) {
    const { images } = await context.client();
    await writeTar(output, 'saving', async () => await images.save(names, { platform }));
  },
});
