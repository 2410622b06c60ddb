import { invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../../command.ts';
import { type ContainerFlags, type ResourceFlags, resourceOptions, toPortMap, toResources } from '../../container-options/index.ts';
import { list } from '../../option.ts';
import { parsePublish } from '../../parse/port.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';

interface UpdateFlags extends ResourceFlags {
  readonly publishAdd: ContainerFlags['publish'];
  readonly publishRm: ContainerFlags['publish'];
}

export const update = verb<UpdateFlags>({
  arguments: '<container...>',
  options: [
    ...resourceOptions(),
    list('--publish-add <port>', 'Publish, at once: [[ip:]hostPort:]containerPort[/udp]', parsePublish),
    list('--publish-rm <port>', 'Publish no longer; a container port alone stands for all that leads to it', parsePublish),
  ],
  notes: 'Connections through a port that is published no longer go on until they end.',
  async action(context, names, { publishAdd, publishRm, ...flags }) {
    const request = {
      ...toResources(flags),
      ...(flags.restart === undefined ? {} : { RestartPolicy: flags.restart }),
      ...present('PublishAdd', toPortMap(publishAdd)),
      ...present('PublishRemove', toPortMap(publishRm)),
    };
    if (Object.keys(flags).length + publishAdd.length + publishRm.length === 0)
      throw invalidArgument('nothing to change: give at least one flag', { reason: usageReason });
    const { containers } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      const { Warnings } = await containers.update(name, request);
      for (const warning of Warnings ?? []) context.note(`WARNING: ${warning}`);
      return name;
    });
  },
});

function present<Key extends string, Value>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]: Value });
}
