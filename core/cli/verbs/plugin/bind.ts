import { verb } from '../../verb.ts';
import { parseDriverName } from './driver-name.ts';
import { naming } from './naming.ts';

export const bindDriver = verb({
  arguments: '<kind/driver> <plugin>',
  notes: `When two plugins have a driver of the same name, the first keeps it until told otherwise; gantry plugin ls shows in brackets what another one serves.
Volumes and networks belong to the driver's name, so they follow.

  gantry plugin bind volume/nfs acme.nfs`,
  async action(context, [driverName = '', plugin = '']) {
    const { kind, driver } = parseDriverName(driverName);
    const { plugins } = await context.client();
    await naming(plugins, plugins.bind(kind, driver, plugin));
  },
});
