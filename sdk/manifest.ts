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
  /** Types beyond bind, tmpfs and overlay of its own data that its mounts may have. */
  readonly mountTypes?: readonly string[];
  readonly hostPaths?: readonly string[];
  readonly devices?: readonly string[];
  /** "CAP_NET_ADMIN", …; "ALL". None by default. */
  readonly capabilities?: readonly string[];
  readonly nftables?: boolean;
  /** It shares the machine's IPC or process namespace. */
  readonly hostIpc?: boolean;
  readonly hostPid?: boolean;
  /** Of exec drivers that describe: each OCI runtime with its arguments, as "runsc --platform=systrap", that the engine runs for it as root. */
  readonly runtimes?: readonly string[];
  /** Of network drivers: folders with programs of the Container Network Interface that the engine runs for it as root, the first that has one. */
  readonly cni?: readonly string[];
  /** It enters containers' network namespaces itself. */
  readonly netns?: boolean;
  /** `host`: the machine's network; default `none`. */
  readonly network?: 'none' | 'host';
  /** `root`: user 0, still with no more capabilities than granted; default: a user of its own. */
  readonly user?: 'own' | 'root';
  /** No sandbox at all: for exec drivers, whose containers outlive them. */
  readonly unconfined?: boolean;
  /** Its answers may name directories that it mounted itself ("driver-mounted"). */
  readonly driverMounted?: boolean;
  /** What it may ask the engine: "lookup:container", "lookup:container.labels", "subscribe:container". State and log need no grant. */
  readonly host?: readonly string[];
}
export interface Manifest {
  readonly manifestVersion: 1;
  /** [a-z0-9._-], unique among the installed plugins. */
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly documentation?: string;
  /** Semver ranges of the engine, e.g. { "gantry": ">=0.1 <2" }. */
  readonly engines?: Readonly<Record<string, string>>;
  readonly provides: readonly Provided[];
  readonly requires?: readonly { readonly plugin: string; readonly version?: string; readonly optional?: boolean }[];
  /** `node`: a module that default-exports definePlugin(…), run by the engine's Node; `exec`: a program that serves the contract itself. */
  readonly entry: { readonly node?: string; readonly exec?: readonly string[] };
  /** Where it may run, the preferred place first. Third parties' default: `process`. */
  readonly placement?: readonly ('in-process' | 'worker' | 'process')[];
  /** When it is started: "onDriver" (default, at the first use) or "onStart". */
  readonly activation?: 'onDriver' | 'onStart';
  /** Stopped after so long without a call, e.g. "10m"; absent: never. */
  readonly idleStop?: string;
  /** From spawn to ready, default "10s", at most "120s". */
  readonly startTimeout?: string;
  /** Calls under way at once, default 16. */
  readonly concurrency?: number;
  /** Deadlines per method, e.g. { "volume.attach": "60s" }, at most ten times the class's. */
  readonly timeouts?: Readonly<Record<string, string>>;
  /** JSON Schema of the settings; "x-secret" hides a value, "x-restart" wants a new generation when it changes. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** JSON Schemas of the options users give (`-o`), by contract; values are texts, converted by the schema's types. */
  readonly options?: { readonly [Kind in DriverKind]?: Readonly<Record<string, unknown>> };
  readonly privileges?: Privileges;
  readonly resources?: { readonly memory?: string; readonly pids?: number; readonly cpu?: string };
  /** Format of the stored state: a new version's upgrade snapshots it first. `exclusive`: two generations may not run at once. */
  readonly state?: { readonly version?: number; readonly upgrade?: 'parallel' | 'exclusive' };
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

const boolean = oneOf(true, false);
const duration = text(/^\d+(ms|s|m|h)$/, 'a duration like 500ms, 10s, 5m or 1h');
const record =
  (item: Check): Check =>
  (value, path) => {
    free(value, path);
    for (const [key, element] of Object.entries(value as object)) item(element, `${path}.${key}`);
  };

// Docker's plugins are drivers under the reference they were installed by: "acme/nfs", "localhost:5000/nfs:1.0".
const driverName = /^(\*|(?!.*(?:\.\.|\/\/))[a-z0-9][a-z0-9_.:/-]{0,254})$/;

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
          drivers: list(text(driverName, 'a driver name of a-z, 0-9, dot, dash and underscore, or *'), 1),
        },
        { features: list(anyText), priority: integer(1, 1000) },
      ),
      1,
    ),
    entry: object({}, { node: anyText, exec: list(anyText, 1) }),
  },
  {
    description: anyText,
    documentation: anyText,
    engines: record(anyText),
    requires: list(object({ plugin: anyText }, { version: anyText, optional: boolean })),
    placement: list(oneOf('in-process', 'worker', 'process'), 1),
    activation: oneOf('onDriver', 'onStart'),
    idleStop: duration,
    startTimeout: duration,
    concurrency: integer(1, 1000),
    timeouts: record(duration),
    settings: free,
    options: object({}, Object.fromEntries(driverKinds.map((kind) => [kind, free]))),
    privileges: object(
      {},
      {
        mountTypes: list(anyText),
        hostPaths: list(text(/^\//, 'an absolute path')),
        devices: list(text(/^\/dev(\/|$)/, 'a path below /dev')),
        runtimes: list(text(/^[^\s\0]+( [^\s\0]+)*$/, 'a program and its arguments, with single spaces')),
        cni: list(text(/^\//, 'an absolute path')),
        capabilities: list(text(/^(ALL|CAP_[A-Z_]+)$/, 'a capability like CAP_NET_ADMIN, or ALL')),
        hostIpc: boolean,
        hostPid: boolean,
        nftables: boolean,
        netns: boolean,
        network: oneOf('none', 'host'),
        user: oneOf('own', 'root'),
        unconfined: boolean,
        driverMounted: boolean,
        host: list(text(/^(lookup|subscribe):[a-z]+(\.[a-z]+)?$/, 'lookup:KIND, lookup:KIND.FIELD or subscribe:TOPIC')),
      },
    ),
    resources: object(
      {},
      {
        memory: text(/^\d+([kmg]i?)?b?$/i, 'a size like 128MiB'),
        pids: integer(1, 100_000),
        cpu: text(/^\d+(\.\d+)?$/, 'a number of CPUs like 0.5'),
      },
    ),
    state: object({}, { version: integer(1, 1_000_000), upgrade: oneOf('parallel', 'exclusive') }),
  },
);

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of a manifest's duration. */
export function durationMs(written: string): number {
  const [, amount = '', unit = 'ms'] = /^(\d+)(ms|s|m|h)$/.exec(written) ?? [];
  return Number(amount) * units[unit as keyof typeof units];
}

const sizeUnits: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Bytes of a manifest's size, "128MiB". */
export function byteSize(written: string): number {
  const [, amount = '0', unit = ''] = /^(\d+)([kmg]?)/i.exec(written) ?? [];
  return Number(amount) * (sizeUnits[unit.toLowerCase()] ?? 1);
}
