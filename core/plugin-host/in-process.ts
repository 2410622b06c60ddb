import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Activation, type HostContext, invalidArgument, type PluginModule } from '@gantry/sdk';
import type { Discovered } from './discover.ts';

/** Imports a plugin's main module into the engine's process and activates it. The module must default-export what `definePlugin` made. */
export async function startInProcess({ dir, manifest }: Discovered, host: HostContext): Promise<Activation> {
  if (manifest.entry.node === undefined)
    throw invalidArgument(`plugin ${manifest.name} has no entry.node, so it cannot run in the engine's process`);
  for (const folder of [host.dataDir, host.runDir]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const loaded = (await import(pathToFileURL(join(dir, manifest.entry.node)).href)) as { readonly default?: unknown };
  if (!isPluginModule(loaded.default))
    throw invalidArgument(`plugin ${manifest.name}: ${manifest.entry.node} does not default-export definePlugin({ activate })`);
  return loaded.default.activate(host);
}

function isPluginModule(value: unknown): value is PluginModule {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'activate') === 'function';
}
