import type { Schema } from '../author/index.ts';

export type Texts = Readonly<Record<string, string>>;
/** Options to test a driver with, as `VolumeUnderTest` wants them. */
export interface SampleOptions {
  readonly base: Texts;
  readonly good?: Texts;
  readonly missing?: Texts;
  readonly malformed?: Texts;
  readonly secret: readonly string[];
}

/** Derived from the schema of the manifest; `examples` in it say what a value must really look like. */
export function sampleOptions(schema: Schema | undefined): SampleOptions {
  const properties = Object.entries((schema?.['properties'] ?? {}) as Readonly<Record<string, Schema>>);
  const required = (schema?.['required'] ?? []) as readonly string[];
  const secret = properties.flatMap(([name, property]) => (property['x-secret'] === true ? [name] : []));
  const base = Object.fromEntries(properties.flatMap(([name, property]) => (required.includes(name) ? [[name, sampleOf(property)]] : [])));
  const first = required[0];
  const further = properties.find(([name]) => !required.includes(name) && !secret.includes(name));
  const strict = properties.toSorted(([, a], [, b]) => strictness(b) - strictness(a))[0];
  return {
    base,
    secret,
    ...(further === undefined ? {} : { good: { ...base, [further[0]]: sampleOf(further[1], further[1].default) } }),
    ...(first === undefined ? {} : { missing: Object.fromEntries(Object.entries(base).filter(([name]) => name !== first)) }),
    ...(strict === undefined ? {} : { malformed: { ...base, [strict[0]]: malformedOf(strict[1]) } }),
  };
}

/** Some value that the schema takes, if possible not the one to avoid. */
function sampleOf(schema: Schema, avoid?: unknown): string {
  const { examples, enum: allowed, minimum, maximum, type, format } = schema;
  const candidates = [
    ...(Array.isArray(examples) ? (examples as readonly unknown[]) : []),
    ...(Array.isArray(allowed) ? (allowed as readonly unknown[]) : []),
    ...(type === 'integer' || type === 'number' ? [minimum ?? 1, maximum ?? 2] : []),
    ...(type === 'boolean' ? [true, false] : []),
    ...(typeof format === 'string' ? [byFormat[format]] : []),
    ...(type === 'string' ? ['sample', 'other'] : []),
  ];
  const chosen = candidates.find((candidate) => candidate !== undefined && candidate !== avoid) ?? 'sample';
  return typeof chosen === 'string' ? chosen : JSON.stringify(chosen);
}

function strictness({ type, enum: allowed, format }: Schema): number {
  return type === 'string' ? (allowed !== undefined || format !== undefined ? 1 : 0) : 2;
}

function malformedOf({ type, enum: allowed, format }: Schema): string {
  return type === 'string' && allowed === undefined && format === undefined ? '' : '?!';
}

const byFormat: Readonly<Record<string, string>> = {
  host: '127.0.0.1',
  uri: 'http://127.0.0.1:9/',
  ipv4: '127.0.0.1',
  ipv6: '::1',
  ip: '127.0.0.1',
  cidr: '10.0.0.0/24',
  'absolute-path': '/sample',
};
