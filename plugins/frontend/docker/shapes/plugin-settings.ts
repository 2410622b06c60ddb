import type { PluginInfo } from '@gantry/sdk/engine';

type Part = Readonly<Record<string, unknown>>;

/** What a plugin runs with: the parts of config.json that can be set, with what was set; of secrets only that they are. */
export function pluginSettings({ dockerConfig, settings, secrets }: PluginInfo) {
  const set = (part: Part, field: string) => settings[`${String(part['Name'])}.${field}`] ?? settings[String(part['Name'])];
  const withField = (key: string, settingName: string) => (part: Part) => ({ ...part, [key]: set(part, settingName) ?? part[key] });
  const config = dockerConfig === undefined ? undefined : partOf(dockerConfig);
  const env = (part: Part) =>
    `${String(part['Name'])}=${secrets.includes(String(part['Name'])) ? '' : shown(set(part, 'value') ?? part['Value'])}`;
  if (config === undefined) {
    const own = Object.entries(settings).map(([name, value]) => `${name}=${shown(value)}`);
    return { Mounts: [], Env: [...own, ...secrets.map((name) => `${name}=`)], Args: [], Devices: [] };
  }
  return {
    Mounts: partsOf(config['Mounts']).map(withField('Source', 'source')),
    Env: partsOf(config['Env']).map(env),
    Args: argumentsOf(set(partOf(config['Args']), 'value') ?? partOf(config['Args'])['Value']),
    Devices: partsOf(partOf(config['Linux'])['Devices']).map(withField('Path', 'path')),
  };
}

const partOf = (value: unknown): Part => (typeof value === 'object' && value !== null ? (value as Part) : {});
const partsOf = (value: unknown): readonly Part[] => (Array.isArray(value) ? value.map(partOf) : []);

/** As docker does: one text is words. */
function argumentsOf(value: unknown): readonly unknown[] {
  if (typeof value === 'string') return value.split(' ').filter((word) => word !== '');
  return Array.isArray(value) ? value : [];
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
}
