import { invalidArgument } from '@gantry/sdk';

/** config.json of a Docker managed plugin (application/vnd.docker.plugin.v1+json), checked: every field is there. */
export interface DockerConfig {
  readonly Description: string;
  readonly Documentation: string;
  readonly Interface: { readonly Types: readonly string[]; readonly Socket: string; readonly ProtocolScheme: string };
  readonly Entrypoint: readonly string[];
  readonly WorkDir: string;
  readonly User: { readonly UID: number; readonly GID: number };
  readonly Network: { readonly Type: string };
  readonly Linux: {
    readonly Capabilities: readonly string[];
    readonly AllowAllDevices: boolean;
    readonly Devices: readonly DockerDevice[];
  };
  readonly PropagatedMount: string;
  readonly IpcHost: boolean;
  readonly PidHost: boolean;
  readonly Mounts: readonly DockerMount[];
  readonly Env: readonly DockerEnv[];
  readonly Args: DockerArgs;
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] };
}
interface Named {
  readonly Name: string;
  readonly Description: string;
  readonly Settable: readonly string[];
}
export interface DockerDevice extends Named {
  readonly Path: string | undefined;
}
export interface DockerMount extends Named {
  readonly Source: string | undefined;
  readonly Destination: string;
  readonly Type: string;
  readonly Options: readonly string[];
}
export interface DockerEnv extends Named {
  readonly Value: string | undefined;
}
export interface DockerArgs extends Named {
  readonly Value: readonly string[];
}

/** Reads a config that a stranger wrote: `invalid_argument` naming the first field that is not as it may be. Unknown fields mean nothing. */
export function readDockerConfig(value: unknown): DockerConfig {
  const config = object(value, 'config');
  const api = object(config['interface'], 'config.interface');
  const linux = object(config['linux'], 'config.linux');
  const user = object(config['user'], 'config.user');
  const rootfs = object(config['rootfs'], 'config.rootfs');
  return {
    Description: text(config['description'], 'config.description'),
    Documentation: text(config['documentation'], 'config.documentation'),
    Interface: {
      Types: list(
        api['types'],
        'config.interface.types',
        matching(/^[a-z0-9]+\.[a-z0-9]+\/[\w.]+$/, 'a type like docker.volumedriver/1.0'),
      ),
      Socket: matching(/^[\w][\w.-]{0,80}$/, 'a file name')(api['socket'], 'config.interface.socket'),
      ProtocolScheme: matching(/^(|moby\.plugins\.http\/v1)$/, 'moby.plugins.http/v1')(
        api['protocolscheme'] ?? '',
        'config.interface.protocolscheme',
      ),
    },
    Entrypoint: filled(list(config['entrypoint'], 'config.entrypoint', text), 'config.entrypoint'),
    WorkDir: optionalPath(config['workdir'], 'config.workdir'),
    User: { UID: id(user['uid'], 'config.user.uid'), GID: id(user['gid'], 'config.user.gid') },
    Network: {
      Type: matching(/^(|null|none|bridge|host)$/, 'host, bridge or none')(
        object(config['network'], 'config.network')['type'] ?? '',
        'config.network.type',
      ),
    },
    Linux: {
      Capabilities: list(
        linux['capabilities'],
        'config.linux.capabilities',
        matching(/^(ALL|CAP_[A-Z_]{1,40})$/, 'a capability like CAP_SYS_ADMIN'),
      ),
      AllowAllDevices: flag(linux['allowalldevices'], 'config.linux.allowalldevices'),
      Devices: list(linux['devices'], 'config.linux.devices', device),
    },
    PropagatedMount: optionalPath(config['propagatedmount'], 'config.propagatedmount'),
    IpcHost: flag(config['ipchost'], 'config.ipchost'),
    PidHost: flag(config['pidhost'], 'config.pidhost'),
    Mounts: list(config['mounts'], 'config.mounts', mount),
    Env: list(config['env'], 'config.env', env),
    Args: args(config['args'], 'config.args'),
    rootfs: {
      type: matching(/^(|layers)$/, 'layers')(rootfs['type'] ?? '', 'config.rootfs.type'),
      diff_ids: list(rootfs['diff_ids'], 'config.rootfs.diff_ids', matching(/^sha256:[0-9a-f]{64}$/, 'a sha256 digest')),
    },
  };
}

const mostItems = 200;
const longestText = 4096;
type Fields = Readonly<Record<string, unknown>>;
type Read<T> = (value: unknown, where: string) => T;

function fail(where: string, wanted: string): never {
  throw invalidArgument(`${where} must be ${wanted}`);
}

/** By lower-case keys: Docker's own reader does not mind the case, and its files come in several. One key in two cases is refused. */
function object(value: unknown, where: string): Fields {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) fail(where, 'an object');
  const fields = new Map<string, unknown>();
  for (const [key, field] of Object.entries(value)) {
    const name = key.toLowerCase();
    if (fields.has(name)) fail(`${where}.${name}`, 'there once');
    fields.set(name, field);
  }
  return Object.fromEntries(fields);
}

function text(value: unknown, where: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string' || value.length > longestText || value.includes('\0'))
    fail(where, `a string of at most ${longestText} characters`);
  return value;
}

function matching(pattern: RegExp, wanted: string): Read<string> {
  return (value, where) => {
    if (typeof value !== 'string' || value.length > longestText || !pattern.test(value)) fail(where, wanted);
    return value;
  };
}

function list<T>(value: unknown, where: string, read: Read<T>): readonly T[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > mostItems) fail(where, `a list of at most ${mostItems}`);
  return value.map((item, at) => read(item, `${where}[${at}]`));
}

function filled(items: readonly string[], where: string): readonly string[] {
  if (items.length === 0 || items[0] === '') fail(where, 'a list that begins with a program');
  return items;
}

function flag(value: unknown, where: string): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== 'boolean') fail(where, 'true or false');
  return value;
}

function id(value: unknown, where: string): number {
  if (value === undefined || value === null) return 0;
  if (!Number.isInteger(value) || Number(value) < 0 || Number(value) > 0xfffffffe) fail(where, 'a number of a user or group');
  return Number(value);
}

function path(value: unknown, where: string): string {
  const given = text(value, where);
  if (!given.startsWith('/') || given.split('/').includes('..')) fail(where, 'an absolute path without ..');
  return given;
}

function optionalPath(value: unknown, where: string): string {
  return value === undefined || value === null || value === '' ? '' : path(value, where);
}

/** Absent stays absent: only what has a value can be set. */
function optional<T>(value: unknown, where: string, read: Read<T>): T | undefined {
  return value === undefined || value === null ? undefined : read(value, where);
}

function named(value: unknown, where: string, settable: string): Named & { readonly fields: Fields } {
  const fields = object(value, where);
  return {
    fields,
    Name: text(fields['name'], `${where}.name`),
    Description: text(fields['description'], `${where}.description`),
    Settable: list(fields['settable'], `${where}.settable`, matching(new RegExp(`^(${settable})$`), settable.replace('|', ' or '))),
  };
}

function device(value: unknown, where: string): DockerDevice {
  const { fields, ...rest } = named(value, where, 'path');
  const read: Read<string> = (given, at) =>
    given === '' ? '' : matching(/^(?!.*\/\.\.(?:\/|$))\/dev\/[^\0]+$/, 'a path below /dev')(given, at);
  return { ...rest, Path: optional(fields['path'], `${where}.path`, read) };
}

function mount(value: unknown, where: string): DockerMount {
  const { fields, ...rest } = named(value, where, 'source|destination|type|options');
  const type = matching(/^[a-z0-9_.-]{0,40}$/, 'a file system type')(fields['type'] ?? '', `${where}.type`);
  return {
    ...rest,
    Source: optional(fields['source'], `${where}.source`, (given, at) => {
      const source = text(given, at);
      if (source.split('/').includes('..')) fail(at, 'a path without ..');
      return source;
    }),
    Destination: path(fields['destination'], `${where}.destination`),
    Type: type,
    Options: list(fields['options'], `${where}.options`, matching(/^[^\0,]{1,400}$/, 'one option')),
  };
}

function env(value: unknown, where: string): DockerEnv {
  const { fields, ...rest } = named(value, where, 'value');
  if (!/^[^=\0]{1,256}$/.test(rest.Name)) fail(`${where}.name`, 'a name without =');
  return { ...rest, Value: optional(fields['value'], `${where}.value`, text) };
}

function args(value: unknown, where: string): DockerArgs {
  const { fields, ...rest } = named(value, where, 'value');
  return { ...rest, Value: list(fields['value'], `${where}.value`, text) };
}
