import { flag } from '../../option.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';
import { naming } from './naming.ts';

export const removePlugins = verb<{ readonly force?: boolean }>({
  arguments: '<plugin...>',
  options: [flag('-f, --force', 'Also when it is enabled, or something uses its drivers')],
  notes: `Refused while it is enabled, or while volumes, networks or layers of its drivers are there: then it says which. With --force those stay, and can be
used again once a plugin with the same driver is installed.

  gantry plugin disable acme.nfs && gantry plugin rm acme.nfs
  gantry plugin rm -f acme.nfs`,
  async action(context, names, { force = false }) {
    const { plugins } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      await naming(plugins, plugins.remove(name, { force }));
      return name;
    });
  },
});
