import { internal } from '@gantry/sdk/errors';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';

export const wait = verb({
  arguments: '<container...>',
  async action(context, names) {
    const { containers } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      const { StatusCode, Error: failure } = await (await containers.wait(name)).result;
      if (failure?.Message) throw internal(failure.Message);
      return String(StatusCode);
    });
  },
});
