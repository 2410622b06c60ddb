import type { Option } from 'commander';
import type { Client } from '@gantry/sdk/client';
import type { Filters } from '@gantry/sdk/engine';
import type { Context } from '../context.ts';
import { humanSize } from '../format/human.ts';
import { confirm } from '../format/prompt.ts';
import { flag, list, value } from '../option.ts';
import { parseFilter, toFilters } from '../parse/filter.ts';
import { parseSize } from '../parse/size.ts';
import { verb } from '../verb.ts';

interface PruneFlags {
  readonly force?: boolean;
  readonly all?: boolean;
  readonly volumes?: boolean;
  readonly keepStorage?: number;
  readonly filter: readonly (readonly [string, string])[];
}

/** Each removes one kind, prints what went, and resolves with the bytes that came free. */
type Prune = (
  context: Context,
  client: Client,
  options: { readonly all: boolean; readonly filters: Filters; readonly keepBytes?: number | undefined },
) => Promise<number>;

const force = (): Option => flag('-f, --force', 'Do not ask');
const filter = (): Option => list('--filter <key=value>', 'Only those, e.g. until=24h, label=x', parseFilter);

export const pruneContainers = declare('all stopped containers', [], [containers]);
export const pruneImages = declare(
  'all images without a name',
  [flag('-a, --all', 'Also those with a name that no container uses')],
  [images],
);
export const pruneVolumes = declare(
  'all anonymous volumes that no container uses',
  [flag('-a, --all', 'Also those with a name')],
  [volumes],
  'A volume is used as long as a container refers to it, running or not. Filters: label=x, label!=x, all=true.\n',
);
export const pruneBuilds = declare(
  'all steps of builds that no named image has',
  [flag('-a, --all', 'What RUN --mount=type=cache keeps, too'), value('--keep-storage <size>', 'Leave this much', parseSize)],
  [builds],
  'Filters: until=24h, id=x, parent=x, type=regular or exec.cachemount, description=x, inuse=true, shared=true, private=true.\n',
);
export const pruneNetworks = declare('all networks that no container uses', [], [networks]);

export const pruneSystem = verb<PruneFlags>({
  arguments: '',
  options: [
    force(),
    filter(),
    flag('-a, --all', 'All unused images, not only those without a name'),
    flag('--volumes', 'Anonymous volumes too'),
  ],
  async action(context, _given, flags) {
    const what = `all stopped containers, all unused networks, ${flags.all === true ? 'all unused images' : 'all images without a name'}`;
    const steps = [containers, networks, ...(flags.volumes === true ? [volumes] : []), images, builds];
    return await prune(context, flags, { what: flags.volumes === true ? `${what}, all anonymous volumes that are not used` : what, steps });
  },
});

function declare(what: string, more: readonly Option[], steps: readonly Prune[], notes?: string): ReturnType<typeof verb> {
  return verb<PruneFlags>({
    arguments: '',
    ...(notes === undefined ? {} : { notes }),
    options: [force(), filter(), ...more],
    action: async (context, _given, flags) => await prune(context, flags, { what, steps }),
  });
}

async function prune(
  context: Context,
  flags: PruneFlags,
  { what, steps }: { readonly what: string; readonly steps: readonly Prune[] },
): Promise<number> {
  if (flags.force !== true && !(await confirm(`This removes ${what}. Go on?`))) return 1;
  const client = await context.client();
  let bytes = 0;
  for (const step of steps)
    bytes += await step(context, client, { all: flags.all === true, filters: toFilters(flags.filter), keepBytes: flags.keepStorage });
  context.print(`Total reclaimed space: ${humanSize(bytes, 4)}`);
  return 0;
}

async function containers(context: Context, client: Client, { filters }: { readonly filters: Filters }): Promise<number> {
  const { ContainersDeleted, SpaceReclaimed } = await client.containers.prune({ filters });
  listRemoved(context, 'Deleted Containers:', ContainersDeleted ?? []);
  return SpaceReclaimed;
}

async function images(
  context: Context,
  client: Client,
  { all, filters }: { readonly all: boolean; readonly filters: Filters },
): Promise<number> {
  const { ImagesDeleted, SpaceReclaimed } = await client.images.prune({ filters: { ...filters, dangling: [String(!all)] } });
  const lines = (ImagesDeleted ?? []).map(({ Untagged, Deleted }) =>
    Untagged === undefined ? `deleted: ${Deleted ?? ''}` : `untagged: ${Untagged}`,
  );
  listRemoved(context, 'Deleted Images:', lines);
  return SpaceReclaimed;
}

async function volumes(
  context: Context,
  client: Client,
  { all, filters }: { readonly all: boolean; readonly filters: Filters },
): Promise<number> {
  const { VolumesDeleted, SpaceReclaimed } = await client.volumes.prune({ filters: all ? { ...filters, all: ['true'] } : filters });
  listRemoved(context, 'Deleted Volumes:', VolumesDeleted ?? []);
  return SpaceReclaimed;
}

async function builds(context: Context, client: Client, options: Parameters<Prune>[2]): Promise<number> {
  const { CachesDeleted, SpaceReclaimed } = await client.images.pruneBuilds(options);
  listRemoved(context, 'Deleted build cache objects:', CachesDeleted ?? []);
  return SpaceReclaimed;
}

async function networks(context: Context, client: Client, { filters }: { readonly filters: Filters }): Promise<number> {
  const { NetworksDeleted } = await client.networks.prune({ filters });
  listRemoved(context, 'Deleted Networks:', NetworksDeleted ?? []);
  return 0;
}

function listRemoved(context: Context, heading: string, names: readonly string[]): void {
  if (names.length === 0) return;
  context.print(`${heading}\n${names.join('\n')}\n`);
}
