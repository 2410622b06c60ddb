import { type DriverKind, invalidArgument, type Manifest } from '@gantry/sdk';

interface Property {
  readonly type?: string;
  readonly default?: unknown;
  readonly 'x-secret'?: boolean;
  readonly 'x-restart'?: boolean;
}
export interface Settled {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * Settings as users give them (texts from a command line, values from daemon.json), checked against the manifest's JSON Schema, converted
 * to its types, secrets apart. `undefined` goes back to the default. `invalid_argument` names the first bad one.
 */
export async function applySettings(manifest: Manifest, before: Settled, changes: Readonly<Record<string, unknown>>): Promise<Settled> {
  const schema = schemaOf(manifest);
  // What an earlier version did not hide may be a secret of this one.
  const known = secretsApart(manifest, before);
  const settings: Record<string, unknown> = { ...known.settings };
  const secrets: Record<string, string> = { ...known.secrets };
  for (const [key, value] of Object.entries(changes)) {
    const property = schema?.properties?.[key];
    if (schema !== undefined && property === undefined && schema.additionalProperties === false) throw unknown(manifest, key);
    if (property?.['x-secret'] === true) {
      if (value === undefined) delete secrets[key];
      else secrets[key] = textOf(value);
    } else if (value === undefined) delete settings[key];
    else settings[key] = typed(value, property?.type);
  }
  if (schema !== undefined) await check(manifest, schema, { ...settings, ...secrets });
  return { settings, secrets };
}

/** Settings that the schema calls secrets are taken from where everybody sees them; a later one wins. */
export function secretsApart(manifest: Manifest, { settings, secrets }: Settled): Settled {
  const properties = schemaOf(manifest)?.properties ?? {};
  const all = Object.entries(settings);
  const isSecret = ([key, value]: readonly [string, unknown]): boolean => value !== undefined && properties[key]?.['x-secret'] === true;
  return {
    settings: Object.fromEntries(all.filter((entry) => !isSecret(entry))),
    secrets: { ...secrets, ...Object.fromEntries(all.filter(isSecret).map(([key, value]) => [key, textOf(value)])) },
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** With the schema's defaults filled in: what the plugin gets. */
export function withDefaults(manifest: Manifest, settings: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const defaults = Object.entries(schemaOf(manifest)?.properties ?? {}).flatMap(([key, { default: value }]) =>
    value === undefined ? [] : [[key, value] as const],
  );
  return { ...Object.fromEntries(defaults), ...settings };
}

/** Those of the settings for all plugins of a kind that this one may have. */
export function settingsFor(manifest: Manifest, ofKind: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { properties = {}, additionalProperties } = schemaOf(manifest) ?? {};
  if (additionalProperties !== false) return ofKind;
  return Object.fromEntries(Object.entries(ofKind).filter(([key]) => Object.hasOwn(properties, key)));
}

export function needsRestart(manifest: Manifest, changed: readonly string[]): boolean {
  const properties = schemaOf(manifest)?.properties ?? {};
  return changed.some((key) => properties[key]?.['x-restart'] === true);
}

/** Options of a kind of driver that must not be shown. */
export function secretOptions({ options }: Manifest, kind: DriverKind): readonly string[] {
  const { properties = {} } = (options?.[kind] ?? {}) as Schema;
  return Object.entries(properties).flatMap(([name, property]) => (property['x-secret'] === true ? [name] : []));
}

interface Schema {
  readonly properties?: Readonly<Record<string, Property>>;
  readonly additionalProperties?: unknown;
}

/** A `settings` that is no JSON Schema is prose for people. */
function schemaOf({ settings }: Manifest): Schema | undefined {
  return settings?.['type'] === 'object' ? settings : undefined;
}

function typed(value: unknown, type: string | undefined): unknown {
  if (typeof value !== 'string' || type === undefined || type === 'string') return value;
  if ((type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(value)) return Number(value);
  if (type === 'boolean' && /^(true|false)$/.test(value)) return value === 'true';
  if (type === 'array' || type === 'object') {
    try {
      return JSON.parse(value) as unknown;
    } catch {
      return value;
    }
  }
  return value;
}

function unknown(manifest: Manifest, key: string): Error {
  const known = Object.keys(schemaOf(manifest)?.properties ?? {});
  return invalidArgument(`plugin ${manifest.name} has no setting ${JSON.stringify(key)}`, {
    hint: known.length === 0 ? 'it has none' : `its settings: ${known.join(', ')}`,
  });
}

/** ajv is loaded only when somebody sets something: it costs more than the rest of a start. */
async function check(manifest: Manifest, schema: Schema, value: unknown): Promise<void> {
  // CommonJS: once bundled, only the default has its names.
  const { Ajv } = (await import('ajv')).default;
  const ajv = new Ajv({ strict: false, allErrors: false, logger: false, validateFormats: false });
  let validate: ReturnType<typeof ajv.compile>;
  try {
    validate = ajv.compile(schema);
  } catch (error) {
    throw invalidArgument(`the settings' schema of plugin ${manifest.name} is no JSON Schema`, { cause: error });
  }
  if (validate(value)) return;
  const [first] = validate.errors ?? [];
  const place =
    first?.instancePath.replaceAll('/', '.').slice(1) ||
    String(first?.params['missingProperty'] ?? first?.params['additionalProperty'] ?? '');
  throw invalidArgument(`setting ${place} of plugin ${manifest.name} ${first?.message ?? 'is not what it should be'}`);
}
