import { verb } from '../../verb.ts';

const letters = ['C', 'A', 'D'] as const;

export const diff = verb({
  arguments: '<container>',
  notes: 'A: added, C: changed, D: deleted, compared with the image.',
  async action(context, [name = '']) {
    const { containers } = await context.client();
    for (const { Kind, Path } of await containers.changes(name)) context.print(`${letters[Kind]} ${Path}`);
  },
});
