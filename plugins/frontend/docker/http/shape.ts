import { invalidArgument } from '@gantry/sdk';

/**
 * What a JSON value must look like. Reading follows Go's encoding/json, whose tolerance clients rely on: null counts as absent, unknown
 * fields are dropped, names match without regard to case; a wrong type is refused in Go's words with the path of the culprit.
 */
export interface Shape<T> {
  readonly goType: string;
  read(value: unknown, path: string): T;
}
export type ShapeOf<S> = S extends Shape<infer T> ? T : never;

/** A document as one shape. */
export function readShape<T>(shape: Shape<T>, value: unknown): T {
  return shape.read(value, '');
}

export const text: Shape<string> = primitive('string', (value) => typeof value === 'string');
export const flag: Shape<boolean> = primitive('bool', (value) => typeof value === 'boolean');
export const integer: Shape<number> = primitive('int64', Number.isSafeInteger);
export const anything: Shape<unknown> = { goType: 'interface {}', read: (value) => value };

/** Text that the engine takes for one of a few words; the engine refuses others in its own words. */
export function word<Words extends string>(): Shape<Words> {
  return { goType: 'string', read: (value, path) => text.read(value, path) as Words };
}

export function list<T>(item: Shape<T>): Shape<readonly T[]> {
  const goType = `[]${item.goType}`;
  return {
    goType,
    read: (value, path) => {
      if (!Array.isArray(value)) throw mismatch(value, path, goType);
      return value.map((each) => item.read(each, path));
    },
  };
}

export function pair<T>(item: Shape<T>): Shape<readonly [T, T]> {
  const goType = `[2]${item.goType}`;
  return {
    goType,
    read: (value, path) => {
      if (!Array.isArray(value) || value.length !== 2) throw mismatch(value, path, goType);
      return [item.read(value[0], path), item.read(value[1], path)];
    },
  };
}

/** Any keys, `__proto__` among them. */
export function map<T>(item: Shape<T>): Shape<Readonly<Record<string, T>>> {
  const goType = `map[string]${item.goType}`;
  return {
    goType,
    read: (value, path) => {
      if (!isObject(value)) throw mismatch(value, path, goType);
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, item.read(each, path)]));
    },
  };
}

export function nullable<T>(item: Shape<T>): Shape<T | null> {
  return { goType: item.goType, read: (value, path) => (value === null ? null : item.read(value, path)) };
}

type Fields = Readonly<Record<string, Shape<unknown>>>;
type Absent<F extends Fields> = { readonly [Name in keyof F]?: ShapeOf<F[Name]> };

/** Every field may be absent. */
export function object<F extends Fields>(goType: string, fields: F): Shape<Absent<F>> {
  const byLowerCase = new Map(Object.keys(fields).map((name) => [name.toLowerCase(), name]));
  return {
    goType,
    read: (value, path) => {
      if (!isObject(value)) throw mismatch(value, path, goType);
      const read: Record<string, unknown> = {};
      for (const [key, each] of Object.entries(value)) {
        const name = Object.hasOwn(fields, key) ? key : byLowerCase.get(key.toLowerCase());
        if (name === undefined || each === null) continue;
        read[name] = fields[name]?.read(each, path === '' ? `${goType}.${name}` : `${path}.${name}`);
      }
      return read as Absent<F>;
    },
  };
}

/** The same object with Go's zero values for fields that must be there. */
export function withZeros<T extends object, const Names extends keyof T>(
  shape: Shape<T>,
  zeros: { readonly [Name in Names]-?: Exclude<T[Name], undefined> },
): Shape<Omit<T, Names> & { readonly [Name in Names]-?: Exclude<T[Name], undefined> }> {
  return { goType: shape.goType, read: (value, path) => ({ ...zeros, ...shape.read(value, path) }) };
}

/** Go's struct{}: an object of which nothing is kept. */
export const empty: Shape<Record<string, never>> = {
  goType: 'struct {}',
  read: (value, path) => {
    if (value !== null && !isObject(value)) throw mismatch(value, path, 'struct {}');
    return {};
  },
};

function primitive<T>(goType: string, is: (value: unknown) => boolean): Shape<T> {
  return {
    goType,
    read: (value, path) => {
      if (!is(value)) throw mismatch(value, path, goType);
      return value as T;
    },
  };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function mismatch(value: unknown, path: string, goType: string) {
  const place = path === '' ? 'Go value' : `Go struct field ${path}`;
  return invalidArgument(`invalid JSON: json: cannot unmarshal ${jsonKind(value)} into ${place} of type ${goType}`);
}

function jsonKind(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'number' : `number ${value}`;
  return typeof value;
}
