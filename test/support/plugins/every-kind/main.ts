import { definePlugin, type Drivers, type HostContext } from '@gantry/sdk';
import { authorization } from './authz.ts';
import { addresses } from './ipam.ts';
import { logs } from './log.ts';
import { networks } from './network.ts';
import { volumes } from './volume.ts';

/** A driver of each kind that Docker's plugins can have, for tests that pack one and run it elsewhere. */
export default definePlugin({
  async activate(host: HostContext) {
    const made = await Promise.all([volumes, logs, networks, addresses].map((module) => module.activate(host)));
    const drivers = made.reduce<Drivers>((all, activation) => ({ ...all, ...activation.drivers }), { authz: { every: authorization } });
    return { drivers };
  },
});
