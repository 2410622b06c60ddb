import type { Ctx } from '@gantry/sdk';
import { type ConfigureRequest, type DriverInfo, type Handler, openSession, type PluginService, remote, type Wire } from '@gantry/sdk/rpc';
import { codeOf } from '@gantry/sdk';
import { driverContext } from '../../drivers/index.ts';
import { withDeadline } from '../../support/index.ts';
import type { Link, OfferedDriver } from './link.ts';

/** All calls in one session, where the plugin can have one: it costs a third of calls one by one. A session that breaks later is the end of it. */
export async function sessionOr(
  wire: Wire,
  service: PluginService,
  { handler, log, onLost }: { readonly handler: Handler; readonly log: Ctx['log']; readonly onLost: () => void },
): Promise<Wire> {
  let isProven = false;
  const session = openSession(service, { handler, ctx: driverContext(log), onClose: () => isProven && onLost() });
  try {
    await remote<PluginService>(session, 'plugin').ping({}, driverContext(log, AbortSignal.timeout(5_000)));
    isProven = true;
    return session;
  } catch {
    session.close();
    return wire;
  }
}

/** What a plugin on the other end of a wire offers; how it ends is the placement's affair. */
export function linkOver(
  wire: Wire,
  service: PluginService,
  {
    log,
    settleMs,
    surroundings,
  }: { readonly log: Ctx['log']; readonly settleMs: number; readonly surroundings?: ConfigureRequest['surroundings'] },
): Omit<Link, 'ended' | 'stop' | 'kill' | 'pid'> {
  const ctx = (signal?: AbortSignal): Ctx => driverContext(log, signal);
  const offered = ({ contract, driver: name, methods, properties }: DriverInfo): OfferedDriver => ({
    contract,
    name,
    driver: remote<object>(wire, contract, { driver: name, methods, properties }),
  });
  return {
    async configure(settings, secrets) {
      const { problems, drivers, needsRestart } = await withDeadline(settleMs, ({ signal }) =>
        service.configure({ settings, secrets, revision: 1, ...(surroundings === undefined ? {} : { surroundings }) }, ctx(signal)),
      );
      return { problems, drivers: drivers.map(offered), needsRestart };
    },
    async find(contract, driver) {
      try {
        return offered(await withDeadline(2_000, ({ signal }) => service.find({ contract, driver }, ctx(signal)))).driver;
      } catch (error) {
        if (codeOf(error) === 'not_found') return undefined;
        throw error;
      }
    },
    names: async (contract) => (await withDeadline(2_000, ({ signal }) => service.names({ contract }, ctx(signal)))).names,
    reconcile: (refs, signal) => service.reconcile(refs, ctx(signal)),
    selfTest: async (deep, signal) => (await service.selfTest({ deep }, ctx(signal))).checks,
    ping: (signal) => service.ping({}, ctx(signal)),
  };
}
