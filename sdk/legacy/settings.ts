import { problemsOf, type Schema, secretNames, withDefaults } from '../author/index.ts';
import type { Manifest } from '../manifest.ts';
import type { HostContext } from '../plugin.ts';

/** Settings as texts by name, which is how Docker keeps them: variables of the environment. */
export type SettingTexts = Readonly<Record<string, string | undefined>>;

export type Settled = Pick<HostContext, 'config' | 'secrets'> & {
  /** What is wrong with them, in words; empty when the plugin can work. */
  readonly problems: readonly string[];
};

/** The manifest's settings out of texts: converted to its types, defaults filled in, secrets apart. A setting that is empty counts as not given. */
export function settle(manifest: Manifest, texts: SettingTexts): Settled {
  const schema: Schema = manifest.settings?.['type'] === 'object' ? manifest.settings : {};
  const given = settingNames(manifest).flatMap(([name, property]) => {
    const text = texts[name];
    return text === undefined || text === '' ? [] : [[name, typed(text, property['type'])] as const];
  });
  const filled = withDefaults(schema, Object.fromEntries(given));
  const hidden = secretNames(schema);
  const entries = Object.entries(filled);
  return {
    config: Object.fromEntries(entries.filter(([name]) => !hidden.includes(name))),
    secrets: Object.fromEntries(entries.filter(([name]) => hidden.includes(name)).map(([name, value]) => [name, String(value)])),
    problems: problemsOf(schema, filled).map(({ path, message }) => `setting ${path} ${message}`),
  };
}

/** The top properties of the manifest's schema. */
export function settingNames({ settings }: Manifest): readonly (readonly [string, Schema])[] {
  const properties = settings?.['type'] === 'object' ? settings['properties'] : undefined;
  return Object.entries((properties ?? {}) as Readonly<Record<string, Schema>>);
}

/** What cannot be converted stays a text, and is complained of. */
function typed(text: string, type: unknown): unknown {
  if (type === 'string' || type === undefined) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
