import { GantryError } from '@gantry/sdk/errors';
import { flag, list, text } from '../../option.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';

interface RmiFlags {
  readonly force?: boolean;
  readonly prune: boolean;
  readonly platform: readonly string[];
}

export const rmi = verb<RmiFlags>({
  arguments: '<image...>',
  options: [
    flag('-f, --force', 'Also with several names, or used by a stopped container'),
    flag('--no-prune', 'Keep parents without a name'),
    list('--platform <os/arch>', 'Of several platforms, only this one', text),
  ],
  async action(context, names, { force = false, prune, platform: platforms }) {
    const { images } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      try {
        const removed = await images.remove(name, { force, prune, platforms });
        return removed
          .map(({ Untagged, Deleted }) => (Untagged === undefined ? `Deleted: ${Deleted ?? ''}` : `Untagged: ${Untagged}`))
          .join('\n');
      } catch (error) {
        if (force && GantryError.is(error) && error.code === 'not_found') return undefined;
        throw error;
      }
    });
  },
});
