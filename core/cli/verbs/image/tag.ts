import { splitReference } from '../../parse/reference.ts';
import { verb } from '../../verb.ts';

export const tag = verb({
  arguments: '<image> <name[:tag]>',
  async action(context, [image = '', reference = '']) {
    const { images } = await context.client();
    const { name, tag: label = 'latest' } = splitReference(reference);
    await images.tag(image, name, label);
  },
});
