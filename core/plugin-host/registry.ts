import { conflict, type DriverKind, driverKinds, notFound } from '@gantry/sdk';
import type { PluginState as SyncState } from '../metadata/index.ts';
import type { Plugin } from './life/plugin.ts';

/** Which plugin serves a driver's name: bound by the user, else the first enabled one, else the first. */
export class Registry {
  readonly #plugins = new Map<string, Plugin>();
  readonly #bindings: SyncState;

  constructor(bindings: SyncState) {
    this.#bindings = bindings;
  }

  all(): readonly Plugin[] {
    return [...this.#plugins.values()];
  }

  add(plugin: Plugin): void {
    this.#plugins.set(plugin.name, plugin);
  }

  remove(plugin: Plugin): void {
    this.#plugins.delete(plugin.name);
  }

  has(name: string): boolean {
    return this.#plugins.has(name);
  }

  /** By name, id, or a beginning of the id that only one has. "name" and "name:latest" are the same. */
  find(name: string): Plugin {
    const exact = this.#plugins.get(name) ?? this.#plugins.get(`${name}:latest`) ?? this.#plugins.get(name.replace(/:latest$/, ''));
    if (exact !== undefined) return exact;
    const starting = name.length < 3 ? [] : this.all().filter(({ record }) => record.id.startsWith(name));
    const [only] = starting;
    if (only !== undefined && starting.length === 1) return only;
    if (only !== undefined) throw conflict(`plugin id ${name} is the beginning of ${starting.length} ids`);
    throw notFound(`plugin ${JSON.stringify(name)} not found`, {
      hint: `installed: ${this.all()
        .map((plugin) => plugin.name)
        .join(', ')}`,
    });
  }

  provider(kind: DriverKind, name: string): Plugin | undefined {
    const offering = this.all().filter(({ record }) =>
      record.manifest.provides.some(({ contract, drivers }) => contract === kind && drivers.includes(name)),
    );
    const bound = this.#bindings.get(`bind/${kind}/${name}`)?.value;
    return offering.find((plugin) => plugin.name === bound) ?? offering.find(({ record }) => record.enabled) ?? offering[0];
  }

  /** Plugins that leave names of this kind open. */
  open(kind: DriverKind): readonly Plugin[] {
    return this.all().filter(
      ({ record }) =>
        record.enabled && record.manifest.provides.some(({ contract, drivers }) => contract === kind && drivers.includes('*')),
    );
  }

  /** What the user chose as the default of a kind, if it is still there. */
  chosen(kind: DriverKind): string | undefined {
    const name = this.#bindings.get(`default/${kind}`)?.value;
    return name !== undefined && this.provider(kind, name)?.record.enabled === true ? name : undefined;
  }

  choose(kind: DriverKind, name: string): void {
    this.#bindings.put([{ key: `default/${kind}`, value: name }]);
  }

  bind(kind: DriverKind, name: string, plugin: Plugin): void {
    if (!serves(plugin).some(([contract, driver]) => contract === kind && driver === name))
      throw notFound(`plugin ${plugin.name} has no ${kind} driver ${name}`);
    this.#bindings.put([{ key: `bind/${kind}/${name}`, value: plugin.name }]);
  }

  names(kind: DriverKind): readonly string[] {
    const names = this.all()
      .filter(({ record }) => record.enabled)
      .flatMap((plugin) => serves(plugin).flatMap(([contract, driver]) => (contract === kind ? [driver] : [])));
    return [...new Set(names)].toSorted();
  }

  /** What it has and another serves. */
  shadowed(plugin: Plugin): readonly string[] {
    return serves(plugin).flatMap(([contract, driver]) => (this.provider(contract, driver) === plugin ? [] : [`${contract}/${driver}`]));
  }

  /** What is served by this plugin and by no other. */
  served(plugin: Plugin): readonly (readonly [DriverKind, string])[] {
    return serves(plugin).filter(([contract, driver]) => this.provider(contract, driver) === plugin);
  }

  byPriority(kind: DriverKind): readonly string[] {
    const offers = this.all()
      .filter(({ record }) => record.enabled)
      .flatMap(({ record }) => record.manifest.provides.filter(({ contract, priority }) => contract === kind && priority !== undefined));
    return [...new Set(offers.toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0)).flatMap(({ drivers }) => drivers.slice(0, 1)))];
  }

  unknown(kind: DriverKind, name: string, more: readonly string[] = []): Error {
    const installed = [...new Set([...this.names(kind), ...more])];
    return notFound(`${kind} driver "${name}" not found`, {
      hint: `installed ${kind} drivers: ${installed.join(', ') || 'none'}`,
      reason: 'DRIVER_NOT_FOUND',
    });
  }
}

function serves({ record }: Plugin): readonly (readonly [DriverKind, string])[] {
  return record.manifest.provides.flatMap(({ contract, drivers }) =>
    driverKinds.includes(contract) ? drivers.filter((driver) => driver !== '*').map((driver) => [contract, driver] as const) : [],
  );
}
