import { invalidArgument } from '@gantry/sdk/errors';

/** What was said, by key; checked. */
export type Settings = ReadonlyMap<string, unknown>;

export function textOf(settings: Settings, key: string): string | undefined {
  const setting = settings.get(key);
  return typeof setting === 'string' ? setting : undefined;
}

export function numberOf(settings: Settings, key: string): number | undefined {
  const setting = settings.get(key);
  return typeof setting === 'number' ? setting : undefined;
}

export function truthOf(settings: Settings, key: string): boolean | undefined {
  const setting = settings.get(key);
  return typeof setting === 'boolean' ? setting : undefined;
}

export function listOf(settings: Settings, key: string): readonly string[] {
  const setting = settings.get(key);
  return Array.isArray(setting) ? setting.map(String) : [];
}

export function objectOf(settings: Settings, key: string): Readonly<Record<string, unknown>> {
  const setting = settings.get(key);
  return isObject(setting) ? setting : {};
}

export function textsOf(settings: Settings, key: string): Readonly<Record<string, string>> {
  const entries = Object.entries(objectOf(settings, key)).map(([name, setting]) => {
    if (typeof setting !== 'string') throw invalidArgument(`${key}: ${JSON.stringify(name)} must be text`);
    return [name, setting] as const;
  });
  return Object.fromEntries(entries);
}

export function objectsOf(settings: Settings, key: string): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const entries = Object.entries(objectOf(settings, key)).map(([name, setting]) => {
    if (!isObject(setting)) throw invalidArgument(`${key}: ${JSON.stringify(name)} must be an object`);
    return [name, setting] as const;
  });
  return Object.fromEntries(entries);
}

export function splitPair(pair: string): readonly [key: string, value: string] {
  const at = pair.indexOf('=');
  return [pair.slice(0, at), pair.slice(at + 1)];
}

export function nonEmpty<T>(values: readonly T[]): readonly T[] | undefined {
  return values.length === 0 ? undefined : values;
}

export function optional<Key extends string, T>(key: Key, setting: T | undefined): { readonly [K in Key]?: T } {
  return setting === undefined ? {} : ({ [key]: setting } as { readonly [K in Key]: T });
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
