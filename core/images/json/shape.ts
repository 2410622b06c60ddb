import { invalidArgument } from '@gantry/sdk';

/** Says that `value` is as wished, or throws `invalid_argument` naming the place where it is not. */
export type Check = (value: unknown, where: string) => void;
type Fields = Readonly<Record<string, unknown>>;

export const string: Check = (value, where) => {
  if (typeof value !== 'string') throw wrong(value, where, 'a string');
};

export const boolean: Check = (value, where) => {
  if (typeof value !== 'boolean') throw wrong(value, where, 'true or false');
};

export const integer: Check = (value, where) => {
  if (!Number.isSafeInteger(value)) throw wrong(value, where, 'a whole number');
};

/** Absent, null, or as `check` has it: Go writes null for what is empty. */
export const optional =
  (check: Check): Check =>
  (value, where) => {
    if (value !== undefined && value !== null) check(value, where);
  };

export const list =
  (check: Check): Check =>
  (value, where) => {
    for (const [at, item] of asList(value, where).entries()) check(item, `${where}[${at}]`);
  };

/** An object with any keys. */
export const map =
  (check: Check): Check =>
  (value, where) => {
    for (const [key, item] of Object.entries(asObject(value, where))) check(item, `${where}[${JSON.stringify(key.slice(0, 80))}]`);
  };

/** An object with these keys and whatever others, which mean nothing. */
export const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, where) => {
    const found = asObject(value, where);
    for (const [key, check] of Object.entries(fields)) check(Object.hasOwn(found, key) ? found[key] : undefined, `${where}.${key}`);
  };

export const anything: Check = () => undefined;

export function asObject(value: unknown, where: string): Fields {
  if (!isObject(value)) throw wrong(value, where, 'an object');
  return value;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function asList(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(value, where, 'a list');
  return value;
}

export function asString(value: unknown, where: string): string {
  string(value, where);
  return String(value);
}

/** Refuses keys that some readers would take for one of these: "Layers" for "layers". */
export function refuseLookalikes(value: Fields, keys: readonly string[], where: string): void {
  for (const key of Object.keys(value)) {
    const known = keys.find((name) => name.toLowerCase() === key.toLowerCase());
    if (known !== undefined && known !== key) throw invalidArgument(`${where} has ${JSON.stringify(key)} where "${known}" is meant`);
  }
}

function wrong(value: unknown, where: string, wished: string): Error {
  const seen =
    value === undefined
      ? 'missing'
      : value === null
        ? 'null'
        : Array.isArray(value)
          ? 'a list'
          : typeof value === 'object'
            ? 'an object'
            : `a ${typeof value}`;
  return invalidArgument(`${where} is ${seen}, not ${wished}`);
}
