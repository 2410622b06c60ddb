import type { Activation, Drivers, HostContext } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import type { Manifest } from '../manifest.ts';
import type { ConfigureRequest, PluginService } from './generated-plugin.ts';
import { handshake } from './handshake.ts';
import { remote } from './remote.ts';
import type { Wire } from './wire.ts';

export interface Connecting {
  readonly manifest: Manifest;
  /** The secret of this start. */
  readonly token: string;
  /** "<plugin id>.<generation>" */
  readonly instance: string;
  readonly context: HostContext;
  /** What its drivers are asked over; the same wire unless given. */
  readonly calls?: Wire;
  /** For one that was started by somebody else, and so not told of them. */
  readonly surroundings?: ConfigureRequest['surroundings'];
}
export interface ConnectedPlugin {
  readonly service: PluginService;
  readonly drivers: Drivers;
  readonly activation: Pick<Activation, 'configure' | 'selfTest' | 'reconcile'>;
}

const engineVersion = '0.1.0';
const withinMs = 10_000;

/** Lets a plugin behind a wire prove itself, gives it its settings, and answers its drivers. The wire stays the caller's. */
export async function connectPlugin(
  wire: Wire,
  { manifest, token, instance, context, calls = wire, surroundings }: Connecting,
): Promise<ConnectedPlugin> {
  const service = remote<PluginService>(wire, 'plugin');
  const ctx = { signal: AbortSignal.timeout(withinMs), operationId: 'start', log: context.log };
  await handshake(service, { manifest, token, instance, engineVersion, ctx });
  const { drivers } = await service.configure(
    { settings: context.config, secrets: context.secrets, revision: 1, ...(surroundings === undefined ? {} : { surroundings }) },
    ctx,
  );
  const byKind: Record<string, Record<string, object>> = {};
  for (const { contract, driver, methods, properties } of drivers) {
    (byKind[contract] ??= {})[driver] = remote(calls, contract, { driver, methods, properties });
  }
  return { service, drivers: byKind, activation: activationOf(remote<PluginService>(calls, 'plugin'), context) };
}

/** As long as a call may take: callers have their own limits. */
function activationOf(plugin: PluginService, { log }: HostContext): ConnectedPlugin['activation'] {
  const ctx: Ctx = { signal: new AbortController().signal, operationId: '', log };
  return {
    configure: async (settings, secrets) => (await plugin.configure({ settings, secrets, revision: 2 }, ctx)).problems,
    selfTest: async (options) => (await plugin.selfTest(options, ctx)).checks,
    reconcile: (refs) => plugin.reconcile(refs, ctx),
  };
}
