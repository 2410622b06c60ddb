import { verb } from '../../verb.ts';
import { parseDriverName } from './driver-name.ts';

export const preferDriver = verb({
  arguments: '<kind/driver>',
  notes: `New images and containers get this graph driver from now on, without a restart; what exists stays with the driver it has.
The driver is tried first, and one that does not work on this machine is refused with the reason.

  gantry plugin default graph/vfs`,
  async action(context, [driverName = '']) {
    const { kind, driver } = parseDriverName(driverName);
    const { plugins } = await context.client();
    await plugins.prefer(kind, driver);
  },
});
