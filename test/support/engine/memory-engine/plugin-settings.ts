import { invalidArgument, type Manifest } from '@gantry/sdk';

interface Property {
  readonly type?: string;
  readonly default?: unknown;
}
type Settings = Readonly<Record<string, unknown>>;

/** What is set after `given` was set too: texts are read by the schema's types, all or nothing. */
export function readSettings({ settings }: Manifest, known: Settings, given: Settings): Settings {
  const properties = (settings?.['properties'] ?? {}) as Readonly<Record<string, Property>>;
  const defaults = Object.entries(properties).flatMap(([key, { default: value }]) => (value === undefined ? [] : [[key, value]]));
  const result: Record<string, unknown> = { ...Object.fromEntries(defaults), ...known };
  for (const [key, value] of Object.entries(given)) {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (property === undefined) throw invalidArgument(`settings.${key}: no such setting`, { hint: Object.keys(properties).join(', ') });
    if (value === undefined) delete result[key];
    else result[key] = typed(key, property, value);
    if (value === undefined && property.default !== undefined) result[key] = property.default;
  }
  return result;
}

function typed(key: string, { type }: Property, value: unknown): unknown {
  if (type !== 'integer') return value;
  if (!Number.isSafeInteger(Number(value))) throw invalidArgument(`settings.${key} must be a whole number, not ${JSON.stringify(value)}`);
  return Number(value);
}
