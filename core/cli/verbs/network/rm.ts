import { GantryError } from '@gantry/sdk/errors';
import { flag } from '../../option.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';

export const removeNetworks = verb<{ readonly force?: boolean }>({
  arguments: '<network...>',
  options: [flag('-f, --force', 'Say nothing when it is not there')],
  async action(context, names, { force = false }) {
    const { networks } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      try {
        await networks.remove(name);
        return name;
      } catch (error) {
        if (force && GantryError.is(error) && error.code === 'not_found') return undefined;
        throw error;
      }
    });
  },
});
