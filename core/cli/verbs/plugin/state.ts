import { flag, value } from '../../option.ts';
import { parseInteger } from '../../parse/integer.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';
import { naming } from './naming.ts';

export const enablePlugins = verb<{ readonly timeout: number }>({
  arguments: '<plugin...>',
  options: [
    value('--timeout <seconds>', 'How long to wait until it is ready; 0: as long as its manifest says', parseInteger(0)).default(0),
  ],
  notes: `Also tries one again that is in backoff or quarantined. When it does not start it stays enabled, and the engine goes on trying.

  gantry plugin enable acme.nfs
  gantry plugin enable --timeout 60 acme.nfs`,
  async action(context, names, { timeout }) {
    const { plugins } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      await naming(plugins, plugins.enable(name, { timeoutMs: timeout * 1e3 }));
      return name;
    });
  },
});

export const disablePlugins = verb<{ readonly force?: boolean }>({
  arguments: '<plugin...>',
  options: [flag('-f, --force', 'Also when containers cannot go on without it')],
  notes: `Containers go on with the volumes and networks that they have. Refused only while something needs the plugin itself, such as a mount that it made:
then it says who that is.

  gantry plugin disable acme.nfs
  gantry plugin disable -f acme.nfs       # also under those who need it`,
  async action(context, names, { force = false }) {
    const { plugins } = await context.client();
    return await forEachTarget(context, names, async (name) => {
      await naming(plugins, plugins.disable(name, { force }));
      return name;
    });
  },
});
