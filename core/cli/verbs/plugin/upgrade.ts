import { conflict } from '@gantry/sdk/errors';
import { authFor } from '../../credentials/index.ts';
import { progressPrinter } from '../../format/progress.ts';
import { flag } from '../../option.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';
import { naming } from './naming.ts';
import { areGranted, grantOption, showPrivilege } from './privileges.ts';
import { newestOf, readSource, sourcesHelp } from './source.ts';

interface Flags {
  readonly grantAllPermissions?: boolean;
  readonly quiet?: boolean;
}

export const upgradePlugin = verb<Flags>({
  arguments: '<plugin> [source]',
  options: [grantOption, flag('-q, --quiet', 'No progress')],
  notes: `The new version starts beside the old one and takes over when it has proven itself; should it fail, then or within the first minute, the old one goes on.
Containers notice nothing. It asks only when the new version wants more than the old one was granted, and only
for that; what it no longer wants it is no longer allowed.
Without SOURCE it is what the plugin was installed from.

${sourcesHelp}

  gantry plugin upgrade acme.nfs
  gantry plugin upgrade acme.nfs reg.example/acme/nfs:1.5
  gantry plugin rollback acme.nfs          # should it not please`,
  async action(context, [name = '', given], { grantAllPermissions = false, quiet = false }) {
    const { plugins } = await context.client();
    const plugin = await naming(plugins, plugins.inspect(name));
    if (plugin.builtIn) throw conflict(`plugin ${plugin.name} is part of the engine`, { hint: 'it is upgraded with the engine' });
    const source = given === undefined ? newestOf(plugin.source) : readSource(given);
    const login = authFor(context, source);
    const { privileges, change = { added: privileges, dropped: [] } } = await plugins.offer(source, { ...login, upgradeOf: plugin.name });
    const asked = change.added;
    for (const privilege of change.dropped) context.note(`It no longer asks for:${showPrivilege(privilege)}`);
    if (!(await areGranted(context, plugin.name, { asked, grantAll: grantAllPermissions }))) {
      context.note('Nothing was changed.');
      return 1;
    }
    const onProgress = progressPrinter(quiet ? () => undefined : context.note);
    const upgraded = await plugins.upgrade(plugin.name, { source, grant: asked }, { ...login, onProgress });
    context.print(`${upgraded.name}: ${plugin.version} -> ${upgraded.version}`);
    return 0;
  },
});

export const rollbackPlugins = verb({
  arguments: '<plugin...>',
  notes: `With the state that it had then, if the format of its state has changed since.

  gantry plugin rollback acme.nfs`,
  async action(context, names) {
    const { plugins } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      const { version: before } = await naming(plugins, plugins.inspect(name));
      const { name: its, version } = await plugins.rollback(name);
      return `${its}: ${before} -> ${version}`;
    });
  },
});
