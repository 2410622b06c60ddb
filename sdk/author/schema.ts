/**
 * Typed options and settings. What `t` makes is plain JSON Schema, so a schema of TypeBox or one written by hand does as well; only the
 * static types are ours. (TypeBox itself costs 85 ms and 30 MB at each start of a plugin, more than everything else a small driver loads.)
 */
declare const valueType: unique symbol;
const optionalMark: unique symbol = Symbol('optional');

/** JSON Schema of values of type T. */
export interface Schema<T = unknown> {
  readonly [valueType]?: T;
  readonly [keyword: string]: unknown;
}
interface OptionalSchema<T> extends Schema<T> {
  readonly [optionalMark]: true;
}
export type Properties = Readonly<Record<string, Schema>>;
/** Of a driver that takes none. */
export type NoProperties = Readonly<Record<string, never>>;
export interface ObjectSchema<P extends Properties = Properties> extends Schema<PropertiesOf<P>> {
  readonly properties: P;
}
/** The type of the values that a schema describes. */
export type Static<S> = S extends Schema<infer T> ? T : never;

type OptionalKeys<P extends Properties> = { [K in keyof P]: P[K] extends OptionalSchema<unknown> ? K : never }[keyof P];
export type PropertiesOf<P extends Properties> = {
  readonly [K in Exclude<keyof P, OptionalKeys<P>>]: Static<P[K]>;
} & { readonly [K in OptionalKeys<P>]?: Static<P[K]> | undefined };

interface About<T> {
  readonly description?: string;
  /** Makes the value optional for who gives it, and always there for who reads it. */
  readonly default?: T;
  /** Of a setting: a change wants a new generation of the plugin. */
  readonly 'x-restart'?: true;
}
interface AboutText extends About<string> {
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: 'host' | 'uri' | 'ipv4' | 'ipv6' | 'ip' | 'cidr' | 'absolute-path';
}
interface AboutNumber extends About<number> {
  readonly minimum?: number;
  readonly maximum?: number;
}

export const t = {
  String: (about: AboutText = {}): Schema<string> => ({ type: 'string', minLength: 1, ...about }),
  Integer: (about: AboutNumber = {}): Schema<number> => ({ type: 'integer', ...about }),
  Number: (about: AboutNumber = {}): Schema<number> => ({ type: 'number', ...about }),
  Boolean: (about: About<boolean> = {}): Schema<boolean> => ({ type: 'boolean', ...about }),
  Enum: <const V extends string>(values: readonly V[], about: About<V> = {}): Schema<V> => ({ type: 'string', enum: values, ...about }),
  /** A text that is never shown, logged or kept by the driver. */
  Secret: (about: Omit<AboutText, 'default'> = {}): Schema<string> => ({ type: 'string', minLength: 1, 'x-secret': true, ...about }),
  /** Settings only: options are texts. */
  Array: <T>(items: Schema<T>, about: About<readonly T[]> = {}): Schema<readonly T[]> => ({ type: 'array', items, ...about }),
  Optional: <T>(schema: Schema<T>): OptionalSchema<T> => ({ ...schema, [optionalMark]: true }),
  Object: <const P extends Properties>(properties: P): ObjectSchema<P> => ({
    type: 'object',
    properties,
    required: Object.entries(properties).flatMap(([name, schema]) => (optionalMark in schema || 'default' in schema ? [] : [name])),
    additionalProperties: false,
  }),
} as const;

/** An author may write the properties alone. */
export function objectSchema<P extends Properties>(given: ObjectSchema<P> | P | undefined): ObjectSchema {
  if (given === undefined) return t.Object({});
  return given['type'] === 'object' && typeof given['properties'] === 'object' ? (given as ObjectSchema) : t.Object(given as P);
}
