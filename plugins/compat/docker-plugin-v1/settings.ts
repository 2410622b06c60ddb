import { isAbsolute, normalize } from 'node:path';
import { invalidArgument } from '@gantry/sdk';

/** A folder that a plugin in a container and this machine have under different names. */
export interface Scope {
  readonly inside: string;
  readonly host: string;
}
/** A plugin that somebody started for us: where it listens, and where its folders are. */
export interface HandedOver {
  readonly socket: string;
  readonly scopes: readonly Scope[];
}
export interface Settings {
  readonly socketFolders: readonly string[];
  readonly specFolders: readonly string[];
  /** FIFOs for log plugins are made in it, under the name that the plugin sees. */
  readonly loggingFolder: string;
  readonly sockets: Readonly<Record<string, HandedOver>>;
}

/** The settings with Docker's folders where none are given; `invalid_argument` names the first that makes no sense. */
export function settingsOf(config: Readonly<Record<string, unknown>>): Settings {
  return {
    socketFolders: folders(config, 'socketFolders', ['/run/docker/plugins']),
    specFolders: folders(config, 'specFolders', ['/etc/docker/plugins', '/usr/lib/docker/plugins']),
    loggingFolder: path(config['loggingFolder'] ?? '/run/docker/logging', 'loggingFolder'),
    sockets: Object.fromEntries(
      Object.entries(object(config['sockets'] ?? {}, 'sockets')).map(([name, given]) => [name, handedOver(given, `sockets.${name}`)]),
    ),
  };
}

function handedOver(given: unknown, place: string): HandedOver {
  if (typeof given === 'string') return { socket: path(given, place), scopes: [] };
  const { socket, scopes = [] } = object(given, place);
  if (!Array.isArray(scopes)) throw invalidArgument(`${place}.scopes must be a list`);
  const read = scopes.map((each: unknown, index): Scope => {
    const { inside, host } = object(each, `${place}.scopes[${index}]`);
    return { inside: path(inside, `${place}.scopes[${index}].inside`), host: path(host, `${place}.scopes[${index}].host`) };
  });
  return { socket: path(socket, `${place}.socket`), scopes: read.toSorted((a, b) => b.inside.length - a.inside.length) };
}

function folders(config: Readonly<Record<string, unknown>>, key: string, otherwise: readonly string[]): readonly string[] {
  const given = config[key] ?? otherwise;
  if (!Array.isArray(given)) throw invalidArgument(`${key} must be a list of absolute paths`);
  return given.map((each: unknown, index) => path(each, `${key}[${index}]`));
}

function path(value: unknown, place: string): string {
  if (typeof value !== 'string' || !isAbsolute(value) || value.includes('\0')) throw invalidArgument(`${place} must be an absolute path`);
  return normalize(value);
}

function object(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidArgument(`${place} must be an object`);
  return value as Readonly<Record<string, unknown>>;
}
