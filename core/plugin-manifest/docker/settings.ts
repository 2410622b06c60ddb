import { invalidArgument } from '@gantry/sdk';
import { type DockerConfig, readDockerConfig } from './config.ts';

export type DockerSettings = Readonly<Record<string, string | readonly string[]>>;

/** What can be set of a Docker plugin, as the JSON Schema of a manifest: `NAME` for env and args, `NAME.source`, `NAME.path`. */
export function settingsSchema(config: DockerConfig): Readonly<Record<string, unknown>> {
  const properties = placesIn(config).flatMap(({ key, type, description, value }) => {
    const schema = { ...typeOf[type], 'x-restart': true, ...(description === '' ? {} : { description }) };
    return key === undefined ? [] : [[key, value === undefined ? schema : { ...schema, default: value }] as const];
  });
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) };
}

/**
 * `docker plugin set`: each "NAME.field=value", the field left out where there is one only, as settings for that schema. Refuses the lot with
 * `invalid_argument`, in Docker's words, when one cannot be set.
 */
export function dockerSettings(config: unknown, given: readonly string[]): DockerSettings {
  const places = placesIn(readDockerConfig(config));
  return Object.fromEntries(given.map((text) => settingOf(parsed(text), places)));
}

/** What a plugin is run with: its config's own values, and the settings over them. As Docker shows it in `plugin inspect`. */
export function appliedSettings(
  config: unknown,
  settings: Readonly<Record<string, unknown>>,
): Pick<DockerConfig, 'Mounts'> & {
  readonly Env: readonly string[];
  readonly Args: readonly string[];
  readonly Devices: DockerConfig['Linux']['Devices'];
} {
  const { Env, Args, Mounts, Linux } = readDockerConfig(config);
  const over = (key: string, otherwise: string | undefined): string | undefined => {
    const value = settings[key];
    return typeof value === 'string' ? value : otherwise;
  };
  const list = settings[Args.Name];
  return {
    Env: Env.flatMap(({ Name, Value }) => {
      const value = over(Name, Value);
      return value === undefined ? [] : [`${Name}=${value}`];
    }),
    Args: Array.isArray(list) ? list.map(String) : Args.Value,
    Mounts: Mounts.map((mount) => ({ ...mount, Source: over(`${mount.Name}.source`, mount.Source) })),
    Devices: Linux.Devices.map((device) => ({ ...device, Path: over(`${device.Name}.path`, device.Path) })),
  };
}

interface Place {
  readonly name: string;
  /** Undefined: it cannot be set. */
  readonly key: string | undefined;
  readonly field: string;
  readonly settable: readonly string[];
  readonly type: 'env' | 'args' | 'mount' | 'device';
  readonly description: string;
  readonly value: string | readonly string[] | undefined;
}

const typeOf = {
  env: { type: 'string' },
  args: { type: 'array', items: { type: 'string' } },
  mount: { type: 'string', pattern: '^(/|$)' },
  device: { type: 'string', pattern: '^(?!.*/\\.\\.(/|$))(/dev/|$)' },
} as const;
const lacking = { mount: 'Plugin config has no mount source', device: 'Plugin config has no device path' } as const;

/** In the order in which Docker looks for a name. */
function placesIn({ Env, Mounts, Linux, Args }: DockerConfig): readonly Place[] {
  const place = (
    type: Place['type'],
    field: string,
    { Name, Settable, Description }: { readonly Name: string; readonly Settable: readonly string[]; readonly Description: string },
    value: Place['value'],
  ): Place => {
    const isHere = Settable.includes(field) && Name !== '' && (value !== undefined || type === 'env');
    const key = isHere ? (type === 'env' || type === 'args' ? Name : `${Name}.${field}`) : undefined;
    return { name: Name, key, field, settable: Settable, type, description: Description, value };
  };
  return [
    ...Env.map((env) => place('env', 'value', env, env.Value)),
    ...Mounts.map((mount) => place('mount', 'source', mount, mount.Source)),
    ...Linux.Devices.map((device) => place('device', 'path', device, device.Path)),
    place('args', 'value', Args, Args.Value),
  ];
}

interface Wish {
  readonly name: string;
  readonly field: string;
  readonly value: string;
}

function parsed(text: string): Wish {
  if (text.length > 65_536 || text.includes('\0')) throw invalidArgument('a setting of more than 65536 characters, or with a zero in it');
  const equals = text.indexOf('=');
  if (equals === 0) throw invalidArgument('invalid format, must be <name>[.<field>][=<value>]');
  const whole = equals < 0 ? text : text.slice(0, equals);
  const dot = whole.lastIndexOf('.');
  return {
    name: dot > 0 ? whole.slice(0, dot) : whole,
    field: dot > 0 ? whole.slice(dot + 1) : '',
    value: equals < 0 ? '' : text.slice(equals + 1),
  };
}

function settingOf({ name, field, value }: Wish, places: readonly Place[]): readonly [string, string | readonly string[]] {
  const place = places.find((one) => one.name === name);
  if (place === undefined) throw invalidArgument(`setting ${JSON.stringify(name)} not found in the plugin configuration`);
  if (field === '' && place.settable.length > 1) throw invalidArgument('multiple fields are settable, one must be specified');
  const wanted = field === '' ? place.settable[0] : field;
  if (wanted !== place.field || !place.settable.includes(wanted)) {
    throw invalidArgument(`${JSON.stringify(field === '' ? name : `${name}.${field}`)} is not settable`);
  }
  if (place.key === undefined)
    throw invalidArgument(place.type === 'mount' || place.type === 'device' ? lacking[place.type] : 'is not settable');
  return [place.key, place.type === 'args' ? value.split(' ') : value];
}
