import type { Manifest, Privileges } from '../manifest.ts';
import type { DriverKind } from '../plugin.ts';
import { type ObjectSchema, objectSchema, type Properties } from './schema.ts';

/** What an author says of a driver of any kind. */
export interface About<O extends Properties, S extends Properties> {
  /** Name of the driver, and of the plugin unless `plugin` is given. */
  readonly name: string;
  readonly plugin?: string;
  readonly version?: string;
  readonly description?: string;
  /** What users may give with `-o` (or `--log-opt`). Anything else is refused by name. */
  readonly options?: ObjectSchema<O> | O;
  /** What the administrator sets for the plugin. `t.Secret()` is never shown. */
  readonly settings?: ObjectSchema<S> | S;
  readonly privileges?: Privileges;
  /** Fields of gantry-plugin.json that have no words here. */
  readonly manifest?: Partial<Manifest>;
}

/** The manifest that says what the author's code says. */
export function manifestOf<O extends Properties, S extends Properties>(
  kind: DriverKind,
  about: About<O, S>,
  features: readonly string[],
): Manifest {
  const { name, plugin = name, version = '0.1.0', description, options, settings, privileges, manifest = {} } = about;
  return {
    manifestVersion: 1,
    name: plugin,
    version,
    ...(description === undefined ? {} : { description }),
    provides: [{ contract: kind, versions: ['v1'], drivers: [name], ...(features.length === 0 ? {} : { features }) }],
    entry: { node: 'main.js' },
    placement: ['process', 'worker', 'in-process'],
    ...(settings === undefined ? {} : { settings: objectSchema(settings) }),
    ...(options === undefined ? {} : { options: { [kind]: objectSchema(options) } }),
    ...(privileges === undefined ? {} : { privileges }),
    ...manifest,
  };
}

/** The optional methods that are there. */
export function featuresOf<T extends object>(given: T, names: readonly (keyof T & string)[]): readonly string[] {
  return names.filter((name) => typeof given[name] === 'function');
}
