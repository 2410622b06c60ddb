import { flag } from '../../option.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';

export const removeVolumes = verb<{ readonly force?: boolean }>({
  arguments: '<volume...>',
  options: [flag('-f, --force', 'Say nothing when it is not there')],
  async action(context, names, { force = false }) {
    const { volumes } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      await volumes.remove(name, { force });
      return name;
    });
  },
});
