import { invalidArgument, messageOf } from '../errors.ts';
import type { PluginModule } from '../plugin.ts';

/** Imports a module that default-exports what `definePlugin` made. */
export async function importPlugin(url: string): Promise<PluginModule> {
  let loaded: { readonly default?: unknown };
  try {
    loaded = (await import(url)) as typeof loaded;
  } catch (error) {
    throw invalidArgument(`${url} cannot be loaded: ${messageOf(error)}`, { cause: error });
  }
  const module = loaded.default;
  if (typeof module !== 'object' || module === null || typeof Reflect.get(module, 'activate') !== 'function')
    throw invalidArgument(`${url} does not default-export definePlugin({ activate })`);
  return module as PluginModule;
}
