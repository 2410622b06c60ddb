import { GantryError, notFound } from '@gantry/sdk';
import type { PluginInfo, Plugins } from '@gantry/sdk/engine';
import type { Call } from '../../http/call.ts';
import { parseReference, showReference } from '../../http/reference.ts';

/** The plugin in the path: by what the engine knows it as, or as Docker would complete it, with ":latest". */
export function pluginOf(call: Call): PluginInfo {
  return findPlugin(call.engine.plugins, call.param('name'));
}

export function findPlugin(plugins: Plugins, text: string): PluginInfo {
  for (const name of [text, ...completed(text)]) {
    try {
      return plugins.inspect(name);
    } catch (error) {
      if (!GantryError.is(error) || error.code !== 'not_found') throw error;
    }
  }
  throw notFound(`plugin ${JSON.stringify(text)} not found`);
}

function completed(text: string): readonly string[] {
  try {
    return [showReference(parseReference(text))];
  } catch {
    return [];
  }
}
