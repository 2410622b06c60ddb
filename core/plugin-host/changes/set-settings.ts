import { invalidArgument } from '@gantry/sdk';
import { dockerSettings } from '../../plugin-manifest/index.ts';
import type { ChangesParts } from './change-parts.ts';
import type { Generation } from '../life/generation.ts';
import type { Plugin } from '../life/plugin.ts';
import { prove } from './prove.ts';
import type { PluginRecord } from '../record.ts';
import { applySettings, needsRestart } from '../settings.ts';
import { isExclusive } from './switch-version.ts';

/** Live when the plugin can, else by a new generation; recorded only when the plugin took it. */
export async function setSettings(parts: ChangesParts, plugin: Plugin, changes: Readonly<Record<string, unknown>>): Promise<void> {
  const { record } = plugin;
  const settled = await applySettings(record.manifest, record, asSettings(record, changes));
  const commit = (): void => {
    plugin.record = { ...plugin.record, ...settled };
    parts.records.put(plugin.record);
  };
  const running = plugin.current;
  if (running === undefined) {
    commit();
    if (record.enabled && plugin.state !== 'discovered') plugin.allow();
    return;
  }
  plugin.discretion.know(Object.values(settled.secrets));
  const isTaken = !needsRestart(record.manifest, Object.keys(changes)) && (await takes(plugin, running, settled));
  if (isTaken) commit();
  else
    await plugin.swap(record, {
      ...settled,
      isExclusive: isExclusive(record.manifest),
      prove: (next) => prove(parts, plugin, next),
      commit,
    });
}

/** Whether a running generation goes on with these; refuses with `invalid_argument` what it finds wrong with them. */
async function takes(
  plugin: Plugin,
  { link }: Generation,
  { settings, secrets }: Pick<PluginRecord, 'settings' | 'secrets'>,
): Promise<boolean> {
  const { problems, needsRestart: isLeft } = await link.configure(settings, secrets);
  const fatal = problems.filter((problem) => problem.fatal).map(({ path, message }) => `${path}: ${message}`);
  if (fatal.length > 0)
    throw invalidArgument(plugin.discretion.text(`plugin ${plugin.name} does not take its settings: ${fatal.join('; ')}`));
  return !isLeft;
}

/** Docker's short forms: "debug" for the one field of it that can be set. */
function asSettings({ dockerConfig }: PluginRecord, changes: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (dockerConfig === undefined) return changes;
  const isText = ([, value]: readonly [string, unknown]): boolean => typeof value === 'string';
  const texts = Object.entries(changes).filter(isText);
  const others = Object.entries(changes).filter((entry) => !isText(entry));
  return {
    ...Object.fromEntries(others),
    ...dockerSettings(
      dockerConfig,
      texts.map(([key, value]) => `${key}=${String(value)}`),
    ),
  };
}
