import { authFor } from '../../credentials/index.ts';
import { progressPrinter } from '../../format/progress.ts';
import { flag } from '../../option.ts';
import { verb } from '../../verb.ts';
import { naming } from './naming.ts';

export const pushPlugin = verb<{ readonly quiet?: boolean }>({
  arguments: '<plugin>',
  options: [flag('-q, --quiet', 'No progress')],
  notes: `The plugin's name says where to: that is why it is created under the name of a reference.

  gantry login reg.example
  gantry plugin create reg.example/acme/nfs:1.4 ./nfs
  gantry plugin push reg.example/acme/nfs:1.4`,
  async action(context, [name = ''], { quiet = false }) {
    const { plugins } = await context.client();
    const onProgress = progressPrinter(quiet ? () => undefined : context.print);
    await naming(plugins, plugins.push(name, { ...authFor(context, name), onProgress }));
    if (quiet) context.print(name);
  },
});
