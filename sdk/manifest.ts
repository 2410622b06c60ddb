/**
 * gantry-plugin.json: what a plugin is, before any of its code runs. Checked by hand, not by a schema library, because the engine reads
 * every manifest at each start and such a library costs more than the rest of the start together.
 */
import { invalidArgument } from './errors.ts';
import { type DriverKind, driverKinds } from './plugin.ts';

export interface Provided {
  readonly contract: DriverKind;
  readonly versions: readonly string[];
  readonly drivers: readonly string[];
  readonly features?: readonly string[];
  /** 1 to 1000: who is chosen when the user names no driver, the highest that can work here; absent: never by itself. */
  readonly priority?: number;
}
export interface Privileges {
  readonly mountTypes?: readonly string[];
  readonly hostPaths?: readonly string[];
  readonly devices?: readonly string[];
  readonly capabilities?: readonly string[];
  readonly nftables?: boolean;
}
export interface Manifest {
  readonly manifestVersion: 1;
  /** [a-z0-9._-], unique among the installed plugins. */
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly provides: readonly Provided[];
  readonly entry: { readonly node?: string; readonly exec?: readonly string[] };
  readonly placement?: readonly ('in-process' | 'worker' | 'process')[];
  /** JSON Schema of the settings. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly privileges?: Privileges;
}

type Check = (value: unknown, path: string) => void;

/** The manifest, or `invalid_argument` naming the first bad field and what it should be. Unknown fields are refused: a typo must not be a silent default. */
export function checkManifest(value: unknown): Manifest {
  manifest(value, 'manifest');
  return value as Manifest;
}

function fail(path: string, wanted: string): never {
  throw invalidArgument(`${path} must be ${wanted}`);
}
const text =
  (pattern: RegExp, wanted: string): Check =>
  (value, path) => {
    if (typeof value !== 'string' || value.length > 400 || !pattern.test(value)) fail(path, wanted);
  };
const anyText = text(/^[^\0]*$/, 'a string of at most 400 characters');
const oneOf =
  (...allowed: readonly unknown[]): Check =>
  (value, path) => {
    if (!allowed.includes(value)) fail(path, `one of ${allowed.join(', ')}`);
  };
const list =
  (item: Check, least = 0): Check =>
  (value, path) => {
    if (!Array.isArray(value) || value.length < least) fail(path, least > 0 ? 'a list that is not empty' : 'a list');
    for (const [index, element] of value.entries()) item(element, `${path}[${index}]`);
  };
const object =
  (required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Check =>
  (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(path, 'an object');
    for (const key of Object.keys(value)) if (!(key in required) && !(key in optional)) fail(`${path}.${key}`, 'left out: no such field');
    for (const [key, check] of Object.entries(required)) check(Reflect.get(value, key), `${path}.${key}`);
    for (const [key, check] of Object.entries(optional)) {
      const field: unknown = Reflect.get(value, key);
      if (field !== undefined) check(field, `${path}.${key}`);
    }
  };
const integer =
  (least: number, most: number): Check =>
  (value, path) => {
    if (!Number.isInteger(value) || Number(value) < least || Number(value) > most) fail(path, `a whole number from ${least} to ${most}`);
  };
const free: Check = (value, path) => {
  if (typeof value !== 'object' || value === null) fail(path, 'an object');
};

const manifest = object(
  {
    manifestVersion: oneOf(1),
    name: text(/^[a-z0-9]([a-z0-9._-]{0,126}[a-z0-9])?$/, 'a name of a-z, 0-9, dot, dash and underscore'),
    version: text(/^\d+\.\d+\.\d+/, 'a version like 1.2.3'),
    provides: list(
      object(
        {
          contract: oneOf(...driverKinds),
          versions: list(anyText, 1),
          drivers: list(text(/^[a-z0-9][a-z0-9_.-]{0,126}$/, 'a driver name of a-z, 0-9, dot, dash and underscore'), 1),
        },
        { features: list(anyText), priority: integer(1, 1000) },
      ),
      1,
    ),
    entry: object({}, { node: anyText, exec: list(anyText, 1) }),
  },
  {
    description: anyText,
    placement: list(oneOf('in-process', 'worker', 'process'), 1),
    settings: free,
    privileges: object(
      {},
      {
        mountTypes: list(anyText),
        hostPaths: list(anyText),
        devices: list(anyText),
        capabilities: list(anyText),
        nftables: oneOf(true, false),
      },
    ),
  },
);
