import { invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../../command.ts';
import { type ResourceFlags, resourceOptions, toResources } from '../../container-options/index.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';

export const update = verb<ResourceFlags>({
  arguments: '<container...>',
  options: resourceOptions(),
  async action(context, names, flags) {
    if (Object.keys(flags).length === 0) throw invalidArgument('nothing to change: give at least one flag', { reason: usageReason });
    const { containers } = await context.client();
    const request = { ...toResources(flags), ...(flags.restart === undefined ? {} : { RestartPolicy: flags.restart }) };
    return await forEachTarget(context, names, async (name) => {
      const { Warnings } = await containers.update(name, request);
      for (const warning of Warnings ?? []) context.note(`WARNING: ${warning}`);
      return name;
    });
  },
});
