import { mkdirSync } from 'node:fs';
import type { FormerGenerations } from '../placements/former-generations.ts';
import type { HandedSockets } from '../placements/handed-sockets.ts';
import type { NativeCalls } from '../placements/native-calls.ts';
import { sharesProcess } from '../placements/native-crashes.ts';
import type { HostOptions } from '../options.ts';
import { Plugin } from './plugin.ts';
import type { PluginParts } from './plugin-parts.ts';
import type { PluginPolicy } from './policy.ts';
import type { PluginRecord } from '../record.ts';
import type { Registry } from '../registry.ts';
import { checkEngine, startRequired } from '../requirements.ts';
import { foldersOf, startLink } from '../placements/start.ts';

export interface MakeParts extends Pick<PluginParts, 'onReady' | 'onProbationPassed' | 'onProbationFailed' | 'onFull'> {
  readonly options: HostOptions;
  readonly policy: PluginPolicy;
  readonly registry: Registry;
  readonly sockets: HandedSockets;
  readonly former: FormerGenerations;
  readonly native: NativeCalls;
  readonly publish: PluginParts['onEvent'];
}

/** A plugin out of its record, with all that its life touches: nothing of it runs yet. */
export function makePlugin(
  record: PluginRecord,
  { options, policy, registry, sockets, former, native, publish, ...told }: MakeParts,
): Plugin {
  return new Plugin(record, {
    policy,
    start: async (plugin, version, number, signal) => {
      checkEngine(version.manifest, options.version);
      await former.ended(plugin);
      await startRequired(plugin, (name) => registry.all().find((other) => other.name === name));
      mkdirSync(foldersOf(options, plugin.record).dataDir, { recursive: true, mode: 0o700 });
      return startLink({ options, sockets }, plugin, version, number, signal);
    },
    onEvent: publish,
    onCall: (plugin, call) => (sharesProcess(plugin) ? native.begin({ plugin: plugin.name, call }) : undefined),
    ...told,
  });
}
