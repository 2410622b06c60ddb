import { mkdirSync } from 'node:fs';
import { type Activation, type DriverKind, type HostContext, invalidArgument } from '@gantry/sdk';
import { loadPlugin } from '@gantry/sdk/serve/load';
import type { Link, OfferedDriver } from './link.ts';
import type { Version } from '../record.ts';

/** Imports a plugin's main module into the engine's process. It is as trusted as the engine, and its end is the engine's. */
export async function startInProcess(
  version: Version,
  hostFor: (config: HostContext['config'], secrets: HostContext['secrets'], signal: AbortSignal) => HostContext,
): Promise<Link> {
  const { manifest } = version;
  if (manifest.entry.node === undefined)
    throw invalidArgument(`plugin ${manifest.name} has no entry.node, so it cannot run in the engine's process`);
  const { module } = await loadPlugin(version.dir);
  const ending = new AbortController();
  const ended = Promise.withResolvers<{ readonly reason: string }>();
  let activation: Activation | undefined;
  const stop = async (): Promise<void> => {
    ending.abort(new DOMException(`plugin ${manifest.name} is stopped`, 'AbortError'));
    await activation?.deactivate?.();
    ended.resolve({ reason: 'stopped' });
  };
  return {
    ended: ended.promise,
    async configure(config, secrets) {
      if (activation !== undefined) {
        if (activation.configure === undefined) return { problems: [], drivers: offers(activation), needsRestart: true };
        return { problems: await activation.configure(config, secrets), drivers: offers(activation), needsRestart: false };
      }
      const host = hostFor(config, secrets, ending.signal);
      for (const folder of [host.dataDir, host.runDir]) mkdirSync(folder, { recursive: true, mode: 0o700 });
      activation = await module.activate(host);
      return { problems: [], drivers: offers(activation), needsRestart: false };
    },
    find: async (contract, name) => activation?.find?.(contract as DriverKind, name),
    names: async (contract) => (await activation?.names?.(contract as DriverKind)) ?? [],
    reconcile: (refs) => activation?.reconcile?.(refs) ?? nothing(),
    selfTest: async (deep) => (await activation?.selfTest?.({ deep })) ?? [],
    ping: async () => {},
    stop,
    kill: stop,
  };
}

function offers({ drivers }: Activation): OfferedDriver[] {
  return Object.entries(drivers).flatMap(([contract, byName]) =>
    Object.entries(byName as Readonly<Record<string, object>>).map(([name, driver]) => ({ contract, name, driver })),
  );
}

async function* nothing(): AsyncIterable<never> {}
