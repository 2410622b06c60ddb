import { drawTable } from '../../format/listing.ts';
import { verb } from '../../verb.ts';

export const top = verb({
  arguments: '<container> [ps-arguments...]',
  passThrough: true,
  async action(context, [container = '', ...psArguments]) {
    const { containers } = await context.client();
    const { Titles, Processes } = await containers.top(container, psArguments.length === 0 ? undefined : psArguments.join(' '));
    context.print(drawTable([Titles, ...(Processes ?? [])]));
  },
});
