import { type DriverKind, type DriverKinds, invalidArgument, messageOf, unavailable } from '@gantry/sdk';
import { driverContext, driverName, type Drivers, type Grants } from '../../drivers/index.ts';
import { Choice, type Skipped } from './choice.ts';
import type { Comparisons } from '../comparison/comparisons.ts';
import { grantsOf } from './grants.ts';
import type { Guards } from './guards.ts';
import type { HostOptions } from '../options.ts';
import type { Plugin } from '../life/plugin.ts';
import type { Registry } from '../registry.ts';
import { foldersOf } from '../placements/start.ts';

interface Parts {
  readonly options: HostOptions;
  readonly registry: Registry;
  readonly guards: Guards;
  readonly comparisons: Comparisons;
}

/** What rooms ask for drivers: by a name, or by what is best here. A plugin is started when one of its drivers is first wanted. */
export class ServedDrivers implements Drivers {
  readonly #parts: Parts;
  readonly #choice: Choice;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#choice = new Choice({
      candidates: (kind) => this.#candidates(kind),
      whyNot: (kind, name) => this.whyNot(kind, name),
      log: parts.options.log,
    });
  }

  async get<Kind extends DriverKind>(kind: Kind, wanted: string): Promise<DriverKinds[Kind]> {
    const { registry, guards } = this.#parts;
    const name = driverName(wanted);
    const plugin = registry.provider(kind, name) ?? (await this.#finder(kind, name));
    const driver = await guards.driver(plugin, kind, name);
    if (driver === undefined) throw registry.unknown(kind, name);
    return driver as DriverKinds[Kind];
  }

  has(kind: DriverKind, name: string): boolean {
    return this.#parts.registry.provider(kind, driverName(name)) !== undefined;
  }

  names(kind: DriverKind): readonly string[] {
    return this.#parts.registry.names(kind);
  }

  grants(kind: DriverKind, wanted: string): Grants {
    const { options, registry, comparisons } = this.#parts;
    const name = driverName(wanted);
    const plugin = registry.provider(kind, name) ?? registry.open(kind)[0];
    if (plugin === undefined) throw registry.unknown(kind, name);
    return {
      ...grantsOf(plugin, kind, foldersOf(options, plugin.record).dataDir),
      onMissing: (objectKind, id, detail) => {
        const ref = { contract: kind, driver: name, kind: objectKind, id };
        if (detail === undefined) comparisons.of(plugin).seen(ref);
        else comparisons.of(plugin).lost(ref, detail);
      },
    };
  }

  /** The driver with the highest priority, tried or not; for kinds that need nothing of the host. */
  first(kind: DriverKind): string {
    const [name] = this.#parts.registry.byPriority(kind);
    if (name === undefined) throw unavailable(`no ${kind} driver is installed`);
    return name;
  }

  preferred(kind: DriverKind): Promise<string> {
    return this.#choice.preferred(kind);
  }

  /** The name of a driver that a user wants, once it is known to work here; `unavailable` says why it does not. */
  usable(kind: DriverKind, name: string): Promise<string> {
    return this.has(kind, name) ? this.#choice.usable(kind, name) : Promise.reject(this.#parts.registry.unknown(kind, name));
  }

  /** Drivers that would have come before the preferred one, and why they did not. */
  skipped(kind: DriverKind): readonly Skipped[] {
    return this.#choice.skipped(kind);
  }

  /** A user makes it the default of its kind, without a restart; refuses one that does not work here. */
  async prefer(kind: DriverKind, name: string): Promise<void> {
    if (kind !== 'graph')
      throw invalidArgument(`the default ${kind} driver is chosen when the engine starts`, {
        hint: 'see gantryd --help; without a restart only the default graph driver changes',
      });
    if (!this.has(kind, name)) throw this.#parts.registry.unknown(kind, name);
    const reason = await this.whyNot(kind, name);
    if (reason !== undefined) throw unavailable(`${kind} driver ${name} does not work here: ${reason}`);
    this.#parts.registry.choose(kind, name);
    this.changed();
  }

  /** Which plugins there are, or which of them a user prefers, has changed. */
  changed(): void {
    this.#choice.forget();
  }

  /** Why a driver does not work on this machine, tried for real; undefined: it does. */
  async whyNot(kind: DriverKind, name: string): Promise<string | undefined> {
    try {
      const driver = await this.get(kind, name);
      if (!('probe' in driver) || typeof driver.probe !== 'function') return undefined;
      const { usable, reason = 'cannot work here' } = await driver.probe({}, driverContext(this.#parts.options.log));
      return usable ? undefined : reason;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** A plugin that leaves names of the kind open and has this one. */
  async #finder(kind: DriverKind, name: string): Promise<Plugin> {
    const known: string[] = [];
    for (const plugin of this.#parts.registry.open(kind)) {
      try {
        const generation = await plugin.serving();
        if ((await generation.driver(kind, name)) !== undefined) return plugin;
        known.push(...(await generation.link.names(kind)));
      } catch (error) {
        this.#parts.options.log.warn({ plugin: plugin.name, error: messageOf(error) }, 'could not be asked for a driver');
      }
    }
    throw this.#parts.registry.unknown(kind, name, known);
  }

  #candidates(kind: DriverKind): ReadonlySet<string> {
    const chosen = this.#parts.registry.chosen(kind);
    return new Set([...(chosen === undefined ? [] : [chosen]), ...this.#parts.registry.byPriority(kind)]);
  }
}
