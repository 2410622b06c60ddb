import { verb } from '../../verb.ts';

export const rename = verb({
  arguments: '<container> <name>',
  async action(context, [container = '', name = '']) {
    const { containers } = await context.client();
    await containers.rename(container, name);
  },
});
