import { parseSize } from '../../parse/size.ts';
import { verb } from '../../verb.ts';

export const renameVolume = verb({
  arguments: '<volume> <name>',
  notes: 'No container may refer to it. An anonymous volume has a name then, and is not pruned any more.\n',
  async action(context, [volume = '', name = '']) {
    const { volumes } = await context.client();
    context.print((await volumes.rename(volume, name)).Name);
  },
});

export const resizeVolume = verb({
  arguments: '<volume> <size>',
  notes: 'SIZE is how much it can hold: 512m, 10g. It must have been made with one, e.g. by -o size=1g.\n',
  async action(context, [volume = '', size = '']) {
    const bytes = parseSize(size);
    const { volumes } = await context.client();
    await volumes.resize(volume, bytes);
    context.print(volume);
  },
});
