import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';

export const pause = verb({
  arguments: '<container...>',
  async action(context, names) {
    const { containers } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      await containers.pause(name);
      return name;
    });
  },
});

export const unpause = verb({
  arguments: '<container...>',
  async action(context, names) {
    const { containers } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      await containers.unpause(name);
      return name;
    });
  },
});
