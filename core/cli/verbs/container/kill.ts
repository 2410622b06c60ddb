import { text, value } from '../../option.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';

export const kill = verb<{ readonly signal?: string }>({
  arguments: '<container...>',
  options: [value('-s, --signal <signal>', 'Signal by name or number (default: KILL)', text)],
  async action(context, names, { signal }) {
    const { containers } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      await containers.kill(name, { signal });
      return name;
    });
  },
});
