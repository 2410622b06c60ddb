import { resolve } from 'node:path';
import type { MountSpec } from '@gantry/sdk/engine';
import { parseCsv } from './csv.ts';
import { parseAssignment, toRecord } from './key-value.ts';
import { refuse, show } from './refuse.ts';
import { parseSize } from './size.ts';

/** `type=bind|volume|tmpfs|image,src=…,dst=…,readonly,…`: the long form of a mount. */
export function parseMount(text: string): MountSpec {
  const fields = readFields(text);
  const one = (...names: readonly string[]): string | undefined => names.flatMap((name) => fields.get(name) ?? []).at(-1);
  const is = (...names: readonly string[]): boolean | undefined => readBoolean(text, names[0] ?? '', one(...names));
  const type = one('type') ?? 'volume';
  if (!isType(type)) throw refuse(text, `has an unknown type: ${show(type)}`, 'bind, volume, tmpfs or image');
  checkFields(text, type, fields);
  const target = one('target', 'dst', 'destination') ?? '';
  const source = one('source', 'src') ?? '';
  if (!target.startsWith('/')) throw refuse(text, 'needs a target that is an absolute path', 'target=/path/in/container');
  if (type === 'bind' && source === '') throw refuse(text, 'needs a source', 'source=/path/on/host');
  if (type === 'tmpfs' && source !== '') throw refuse(text, 'has a source, which tmpfs has not');
  return {
    Type: type,
    Target: target,
    ...(source === '' ? {} : { Source: type === 'bind' ? resolve(source) : source }),
    ...(is('readonly', 'ro') === true ? { ReadOnly: true } : {}),
    ...(fields.has('idmap') ? { IdMap: idMapOf(one('idmap')) } : {}),
    ...optionsOf(text, type, fields, one, is),
  };
}

/** `/path[:options]` */
export function parseTmpfs(text: string): readonly [path: string, options: string] {
  const at = text.indexOf(':');
  const path = at < 0 ? text : text.slice(0, at);
  if (!path.startsWith('/')) throw refuse(text, 'is not an absolute path');
  return [path, at < 0 ? '' : text.slice(at + 1)];
}

/** `-v`: what has a source is a bind (or names a volume) and stays text, a lone path is an anonymous volume. */
export function parseVolume(text: string): { readonly bind: string } | { readonly volume: string } {
  const [source = '', ...rest] = text.split(':');
  if (text === '' || rest.length > 2 || rest[0] === '') throw refuse(text, 'is not a volume', 'write [source:]/target[:ro]');
  const target = rest[0] ?? source;
  if (!target.startsWith('/')) throw refuse(text, `mounts at ${show(target)}, which is not an absolute path`);
  if (rest.length === 0) return { volume: text };
  if (source === '') throw refuse(text, 'has an empty source', 'leave out the colon for an anonymous volume');
  return { bind: [/^\.{1,2}(\/|$)/.test(source) ? resolve(source) : source, ...rest].join(':') };
}

const everywhere = ['type', 'target', 'dst', 'destination', 'readonly', 'ro', 'consistency'];
const fieldsOf: Readonly<Record<MountSpec['Type'], readonly string[]>> = {
  bind: ['source', 'src', 'idmap', 'bind-propagation', 'bind-nonrecursive', 'bind-recursive', 'bind-create-src'],
  volume: ['source', 'src', 'idmap', 'volume-driver', 'volume-opt', 'volume-label', 'volume-nocopy', 'volume-subpath'],
  tmpfs: ['source', 'src', 'tmpfs-size', 'tmpfs-mode'],
  image: ['source', 'src', 'image-subpath'],
};

function isType(type: string): type is MountSpec['Type'] {
  return type in fieldsOf;
}

function readFields(text: string): ReadonlyMap<string, readonly string[]> {
  const fields = new Map<string, string[]>();
  for (const field of parseCsv(text)) {
    const at = field.indexOf('=');
    const name = (at < 0 ? field : field.slice(0, at)).trim().toLowerCase();
    fields.set(name, [...(fields.get(name) ?? []), at < 0 ? 'true' : field.slice(at + 1)]);
  }
  return fields;
}

function checkFields(text: string, type: MountSpec['Type'], fields: ReadonlyMap<string, unknown>): void {
  const known = [...everywhere, ...fieldsOf[type]];
  for (const name of fields.keys()) {
    if (!known.includes(name)) throw refuse(text, `has a field that a ${type} mount has not: ${show(name)}`, `known: ${known.join(', ')}`);
  }
}

function readBoolean(text: string, name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (['true', '1', ''].includes(value)) return true;
  if (['false', '0'].includes(value)) return false;
  throw refuse(text, `needs true or false for ${name}`);
}

type One = (...names: readonly string[]) => string | undefined;
type Is = (...names: readonly string[]) => boolean | undefined;

/** A field without a value reads as "true". */
const idMapOf = (value: string | undefined): string => (value === undefined || value === 'true' ? '' : value);

/** What `bind-recursive` may say. */
const recursions = ['enabled', 'disabled', 'writable', 'readonly'];

function recursionOf(text: string, one: One, is: Is): string | undefined {
  const recursion = one('bind-recursive');
  if (recursion === undefined) return undefined;
  if (!recursions.includes(recursion)) throw refuse(text, `has an unknown bind-recursive: ${show(recursion)}`, recursions.join(', '));
  const isReadOnly = is('readonly', 'ro') === true;
  if ((recursion === 'writable' || recursion === 'readonly') && !isReadOnly)
    throw refuse(text, `needs readonly with bind-recursive=${recursion}`);
  if (recursion === 'readonly' && one('bind-propagation') !== 'rprivate')
    throw refuse(text, 'needs bind-propagation=rprivate with bind-recursive=readonly');
  return recursion;
}

function optionsOf(
  text: string,
  type: MountSpec['Type'],
  fields: ReadonlyMap<string, readonly string[]>,
  one: One,
  is: Is,
): Partial<MountSpec> {
  switch (type) {
    case 'bind': {
      const recursion = recursionOf(text, one, is);
      return some('BindOptions', {
        Propagation: one('bind-propagation'),
        NonRecursive: is('bind-nonrecursive') ?? (recursion === 'disabled' ? true : undefined),
        ReadOnlyNonRecursive: recursion === 'writable' ? true : undefined,
        ReadOnlyForceRecursive: recursion === 'readonly' ? true : undefined,
        CreateMountpoint: is('bind-create-src'),
      });
    }
    case 'volume':
      return some('VolumeOptions', {
        NoCopy: is('volume-nocopy'),
        Subpath: one('volume-subpath'),
        Labels: recordOf(fields.get('volume-label')),
        DriverConfig: driverOf(one('volume-driver'), recordOf(fields.get('volume-opt'))),
      });
    case 'tmpfs': {
      const size = one('tmpfs-size');
      return some('TmpfsOptions', { SizeBytes: size === undefined ? undefined : parseSize(size), Mode: readMode(text, one('tmpfs-mode')) });
    }
    case 'image':
      return some('ImageOptions', { Subpath: one('image-subpath') });
    default:
      return type satisfies never;
  }
}

function driverOf(Name: string | undefined, Options: Readonly<Record<string, string>> | undefined): object | undefined {
  return Name === undefined && Options === undefined ? undefined : present({ Name, Options });
}

function recordOf(pairs: readonly string[] | undefined): Readonly<Record<string, string>> | undefined {
  return pairs === undefined ? undefined : toRecord(pairs.map(parseAssignment));
}

function readMode(text: string, mode: string | undefined): number | undefined {
  if (mode === undefined) return undefined;
  if (!/^[0-7]{1,4}$/.test(mode)) throw refuse(text, 'needs an octal tmpfs-mode');
  return Number.parseInt(mode, 8);
}

function some(key: string, options: Readonly<Record<string, unknown>>): Partial<MountSpec> {
  const given = present(options);
  return Object.keys(given).length === 0 ? {} : { [key]: given };
}

function present(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
