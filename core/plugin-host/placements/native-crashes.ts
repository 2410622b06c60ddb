import type { Logger } from '@gantry/sdk';
import type { PluginState } from '../../metadata/index.ts';
import { defaultPlacement } from '../records.ts';
import type { NativeCall } from './native-calls.ts';
import type { Plugin } from '../life/plugin.ts';

/** So often a plugin may take the engine along; then it gets a process of its own. */
const mostCrashes = 2;

export interface Demotion {
  readonly plugin: Plugin;
  readonly reason: string;
}

/** Whether what it does can end the engine: code of others in the engine's process. */
export function sharesProcess({ record: { placement, builtIn } }: Plugin): boolean {
  return placement === 'worker' || (placement === 'in-process' && !builtIn);
}

/**
 * Blames what the last engine was at when it ended without a word, in the log and in the plugin's output. The second time for one plugin answers that it must
 * go, if its manifest lets it run elsewhere. An engine that was killed from outside at that very moment looks the same: a process of its own does a plugin no harm.
 */
export function blameForCrash(
  last: NativeCall | undefined,
  { plugins, counts, log }: { readonly plugins: readonly Plugin[]; readonly counts: PluginState; readonly log: Logger },
): Demotion | undefined {
  const plugin = plugins.find(({ name }) => name === last?.plugin);
  if (last === undefined || plugin === undefined || !sharesProcess(plugin)) return undefined;
  const key = `native-crashes/${plugin.record.id.slice(0, 12)}`;
  const count = Number(counts.get(key)?.value ?? 0) + 1;
  const what = `the engine ended without a word in ${last.call}`;
  plugin.output.say(`crash report: ${what}`);
  log.error({ plugin: plugin.name, call: last.call, count }, what);
  const mayMove = (plugin.record.manifest.placement ?? [defaultPlacement]).includes(defaultPlacement);
  const isTooMany = count >= mostCrashes && mayMove;
  counts.put([{ key, value: isTooMany ? undefined : String(count) }]);
  return isTooMany ? { plugin, reason: `${what}, ${count} times: it runs in a process of its own now` } : undefined;
}
