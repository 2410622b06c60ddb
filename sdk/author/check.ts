import { isIP, isIPv4, isIPv6 } from 'node:net';
import { invalidArgument } from '../errors.ts';
import type { Problem } from '../plugin.ts';
import type { ObjectSchema, Schema } from './schema.ts';

/**
 * The options that a user gave as texts, as values of the schema's types, with defaults. Fails with `invalid_argument` that names the
 * option: an unknown one (`OPTION_UNKNOWN`), a missing one (`OPTION_MISSING`), one with another type (`OPTION_INVALID`).
 */
export function readOptions(schema: ObjectSchema, given: Readonly<Record<string, string>>, driver: string): Record<string, unknown> {
  const known = Object.keys(schema.properties);
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const hint = known.length === 0 ? `${driver} takes no options` : `${driver} knows ${known.join(', ')}`;
    throw invalidArgument(`unknown option ${JSON.stringify(name)} for ${driver}`, { reason: 'OPTION_UNKNOWN', hint });
  }
  const value = Object.fromEntries(Object.entries(given).map(([name, text]) => [name, fromText(schema.properties[name] ?? {}, text)]));
  const full = withDefaults(schema, value);
  for (const name of requiredOf(schema)) {
    if (full[name] === undefined)
      throw invalidArgument(`option ${name} of ${driver} is missing`, { reason: 'OPTION_MISSING', hint: describe(schema, name) });
  }
  const [problem] = problemsOf(schema, full);
  if (problem !== undefined) {
    throw invalidArgument(`option ${problem.path} of ${driver} ${problem.message}`, { reason: 'OPTION_INVALID' });
  }
  return full;
}

/** Settings with defaults filled in. */
export function withDefaults(schema: Schema, value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const defaults = Object.entries(propertiesOf(schema)).flatMap(([name, { default: otherwise }]) =>
    otherwise === undefined ? [] : [[name, otherwise] as const],
  );
  return { ...Object.fromEntries(defaults), ...value };
}

/** What is wrong with a value, as places in it. Knows the part of JSON Schema that manifests use; other keywords are ignored. */
export function problemsOf(schema: Schema, value: unknown, path = ''): readonly Problem[] {
  const wrong = complaint(schema, value);
  if (wrong !== undefined) return [{ path, message: wrong, fatal: true }];
  if (Array.isArray(value)) return value.flatMap((item, index) => problemsOf((schema['items'] ?? {}) as Schema, item, `${path}[${index}]`));
  if (typeof value !== 'object' || value === null) return [];
  const at = (name: string) => (path === '' ? name : `${path}.${name}`);
  const properties = propertiesOf(schema);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return [
    ...requiredOf(schema).flatMap((name) =>
      Reflect.get(value, name) === undefined ? [{ path: at(name), message: 'is missing', fatal: true }] : [],
    ),
    ...fields.flatMap(([name, field]) => {
      const property = properties[name];
      if (property !== undefined) return problemsOf(property, field, at(name));
      return schema['additionalProperties'] === false ? [{ path: at(name), message: 'is unknown', fatal: true }] : [];
    }),
  ];
}

/** Names of the properties that must not be shown. */
export function secretNames(schema: Schema): readonly string[] {
  return Object.entries(propertiesOf(schema)).flatMap(([name, property]) => (property['x-secret'] === true ? [name] : []));
}

function propertiesOf(schema: Schema): Readonly<Record<string, Schema>> {
  return (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>;
}

function requiredOf(schema: Schema): readonly string[] {
  return (schema['required'] ?? []) as readonly string[];
}

/** What cannot be converted stays a text, and is complained of with the text that was given. */
function fromText({ type }: Schema, text: string): unknown {
  if ((type === 'integer' || type === 'number') && /^[+-]?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (type === 'boolean' && ['true', '1'].includes(text.toLowerCase())) return true;
  if (type === 'boolean' && ['false', '0'].includes(text.toLowerCase())) return false;
  return text;
}

function complaint(schema: Schema, value: unknown): string | undefined {
  const { type, enum: allowed, minimum, maximum } = schema;
  const seen = schema['x-secret'] === true ? '' : `, not ${JSON.stringify(value)}`;
  const wanted = typeof type === 'string' ? types[type] : undefined;
  if (wanted !== undefined && !wanted.is(value)) return `must be ${wanted.name}${seen}`;
  if (Array.isArray(allowed) && !allowed.includes(value)) return `must be one of ${allowed.join(', ')}${seen}`;
  if (typeof value === 'number') {
    if (typeof minimum === 'number' && value < minimum) return `must be at least ${minimum}${seen}`;
    if (typeof maximum === 'number' && value > maximum) return `must be at most ${maximum}${seen}`;
  }
  return typeof value === 'string' ? complaintOfText(schema, value, seen) : undefined;
}

function complaintOfText({ minLength = 0, maxLength, pattern, format }: Schema, text: string, seen: string): string | undefined {
  if (/[\n\0]/.test(text)) return 'must not have a newline or NUL in it';
  if (text.length < Number(minLength))
    return text === '' ? 'must not be empty' : `must have at least ${String(minLength)} characters${seen}`;
  if (typeof maxLength === 'number' && text.length > maxLength) return `must have at most ${maxLength} characters`;
  if (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(text)) return `must match ${pattern}${seen}`;
  const check = typeof format === 'string' ? formats[format] : undefined;
  return check === undefined || check.is(text) ? undefined : `must be ${check.name}${seen}`;
}

const types: Readonly<Record<string, { readonly name: string; readonly is: (value: unknown) => boolean }>> = {
  string: { name: 'a text', is: (value) => typeof value === 'string' },
  integer: { name: 'a whole number', is: (value) => Number.isSafeInteger(value) },
  number: { name: 'a number', is: (value) => typeof value === 'number' && Number.isFinite(value) },
  boolean: { name: 'true or false', is: (value) => typeof value === 'boolean' },
  array: { name: 'a list', is: (value) => Array.isArray(value) },
  object: { name: 'an object', is: (value) => typeof value === 'object' && value !== null && !Array.isArray(value) },
};
const formats: Readonly<Record<string, { readonly name: string; readonly is: (text: string) => boolean }>> = {
  host: { name: 'a host name or an address', is: (text) => isIP(text) !== 0 || /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text) },
  uri: { name: 'an address like https://host/path', is: (text) => URL.canParse(text) },
  ipv4: { name: 'an IPv4 address', is: isIPv4 },
  ipv6: { name: 'an IPv6 address', is: isIPv6 },
  ip: { name: 'an IP address', is: (text) => isIP(text) !== 0 },
  cidr: { name: 'a prefix like 10.0.0.0/24', is: (text) => /^[^/]+\/\d{1,3}$/.test(text) && isIP(text.split('/')[0] ?? '') !== 0 },
  'absolute-path': { name: 'an absolute path', is: (text) => text.startsWith('/') },
};

function describe(schema: ObjectSchema, name: string): string {
  const { description } = schema.properties[name] ?? {};
  return typeof description === 'string' ? `${name}: ${description}` : `give it with -o ${name}=…`;
}
