import type { CollectedOrphans, PluginOrphan } from '@gantry/sdk/engine';
import { confirm } from '../../format/prompt.ts';
import { flag } from '../../option.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';
import { naming } from './naming.ts';

interface Flags {
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly always?: boolean;
  readonly never?: boolean;
}

export const collectOrphans = verb<Flags>({
  arguments: '<plugin...>',
  options: [
    flag('-a, --all', 'Also what was first seen less than a day ago'),
    flag('--dry-run', 'Only say what would be deleted'),
    flag('-f, --force', 'Do not ask'),
    flag('--always', 'From now on the engine does it by itself, a day after it first saw each'),
    flag('--never', 'From now on the engine deletes none by itself, which is the default'),
  ],
  notes: `Deletes volumes, snapshots and pools that a plugin has and the engine knows nothing of; gantry plugin inspect lists them as orphans. They may be data
that somebody else made there, so nothing is deleted unless it is asked for.

  gantry plugin gc --dry-run acme.nfs
  gantry plugin gc acme.nfs
  gantry plugin gc --always acme.nfs`,
  async action(context, names, { all = false, dryRun = false, force = false, always = false, never = false }) {
    const { plugins } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      if (always || never) {
        await naming(plugins, plugins.collectOrphansAlways(name, always));
        return name;
      }
      const found = await naming(plugins, plugins.collectOrphans(name, { all, dryRun: true }));
      const isAgreed = dryRun || found.deleted.length === 0 || force || (await confirm(question(name, found), '--force'));
      const done = dryRun || found.deleted.length === 0 ? found : isAgreed ? await plugins.collectOrphans(name, { all }) : nothing;
      for (const { reason, ...orphan } of done.kept) context.note(`${label(orphan)} is kept: ${reason}`);
      return done.deleted.map((orphan) => `${dryRun ? 'would delete' : 'deleted'} ${label(orphan)}`).join('\n');
    });
  },
});

const nothing: CollectedOrphans = { deleted: [], kept: [] };
const mostNamed = 10;

const label = ({ kind, id, driver }: PluginOrphan): string => `${kind} ${id} of ${driver}`;

function question(name: string, { deleted }: CollectedOrphans): string {
  const more = deleted.length > mostNamed ? `, and ${deleted.length - mostNamed} more` : '';
  return `Plugin ${name} has, and nobody knows of: ${deleted.slice(0, mostNamed).map(label).join(', ')}${more}. Delete?`;
}
