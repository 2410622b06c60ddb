import type { Manifest } from '@gantry/sdk';
import { privilegesOf } from '../../plugin-manifest/index.ts';
import { failpoint } from '../../support/index.ts';
import type { ChangesParts } from './change-parts.ts';
import type { Plugin } from '../life/plugin.ts';
import { type PluginRecord, userOf, type Version } from '../record.ts';
import { prove } from './prove.ts';
import { applySettings } from '../settings.ts';

export interface Switch {
  /** What can be gone back to; taken when nothing of the version before changes any more. */
  readonly previous: () => PluginRecord['previous'];
  /** Its own unless given. */
  readonly settings?: PluginRecord['settings'];
  /** What the engine keeps for it; as it is unless given. */
  readonly state?: NonNullable<PluginRecord['previous']>['state'];
}

/** New code in the place of what runs, or of what would run. What fails before the commit leaves the version before serving. */
export async function switchVersion(
  parts: ChangesParts,
  plugin: Plugin,
  version: Version,
  { previous, settings, state }: Switch,
): Promise<void> {
  const { records } = parts;
  const settled = await applySettings(
    version.manifest,
    { settings: settings ?? plugin.record.settings, secrets: plugin.record.secrets },
    {},
  );
  let before: PluginRecord['previous'];
  const prepare = (): void => {
    before = previous();
    if (!isExclusive(version.manifest) || before?.state === undefined) return;
    plugin.record = { ...plugin.record, stateBefore: before.state };
    records.put(plugin.record);
  };
  const giveUp = (): void => {
    plugin.record = records.withStateBefore(plugin.record);
  };
  const commit = (): void => {
    const { previous: _former, dockerConfig: _config, isOnProbation: _probation, stateBefore: _state, ...kept } = plugin.record;
    const next = { ...kept, ...version, ...settled, privileges: privilegesOf(version.manifest) };
    failpoint('plugin.upgrade.commit');
    plugin.record = before === undefined ? next : { ...next, previous: before, isOnProbation: true };
    records.put(plugin.record, state);
    failpoint('plugin.upgrade.committed');
  };
  // Of the version before: what it comes to must not be taken for the new one's.
  await plugin.settled();
  if (plugin.current === undefined) {
    before = previous();
    commit();
    plugin.allow();
    if (plugin.record.enabled) await plugin.start();
    return;
  }
  await plugin.swap(version, {
    ...settled,
    isExclusive: isExclusive(version.manifest) || isOtherUser(plugin.record, version),
    prepare,
    giveUp,
    prove: (next) => prove(parts, plugin, next),
    commit,
  });
}

/** Its generations may not run at once. */
export function isExclusive({ state }: Manifest): boolean {
  return state?.upgrade === 'exclusive';
}

/** Its folders belong to one user at a time. */
function isOtherUser(record: PluginRecord, next: Version): boolean {
  return userOf(record, record) !== userOf(record, next);
}
