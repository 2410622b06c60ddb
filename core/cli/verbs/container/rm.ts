import { GantryError } from '@gantry/sdk/errors';
import { flag } from '../../option.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';

interface RmFlags {
  readonly force?: boolean;
  readonly volumes?: boolean;
  readonly link?: boolean;
}

export const rm = verb<RmFlags>({
  arguments: '<container...>',
  options: [
    flag('-f, --force', 'Kill it when it runs, and say nothing when it is not there'),
    flag('-v, --volumes', 'With its anonymous volumes'),
    flag('-l, --link', 'Remove the link only'),
  ],
  async action(context, names, { force = false, volumes = false, link = false }) {
    const { containers } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      try {
        await containers.remove(name, { force, volumes, link });
        return name;
      } catch (error) {
        if (force && GantryError.is(error) && error.code === 'not_found') return undefined;
        throw error;
      }
    });
  },
});
