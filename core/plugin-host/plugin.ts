import { type Activation, conflict, type DriverKind, type Drivers, GantryError, type HostContext, internal, messageOf } from '@gantry/sdk';
import type { PluginInfo } from '@gantry/sdk/engine';
import { guard, methodsOf } from '../drivers/index.ts';
import type { Discovered } from './discover.ts';
import { startInProcess } from './in-process.ts';

/** One installed plugin: started once, when somebody first needs one of its drivers, and stopped with the engine. */
export class Plugin {
  readonly discovered: Discovered;
  readonly #host: HostContext;
  readonly #stop: AbortController;
  #starting: Promise<Drivers> | undefined;
  #activation: Activation | undefined;
  #error: string | undefined;
  #startedInMs: number | undefined;

  constructor(discovered: Discovered, makeHost: (signal: AbortSignal) => HostContext) {
    this.discovered = discovered;
    this.#stop = new AbortController();
    this.#host = makeHost(this.#stop.signal);
  }

  get name(): string {
    return this.discovered.manifest.name;
  }

  /** The plugin's drivers behind their guards. A failed start is tried again at the next call. */
  drivers(): Promise<Drivers> {
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      this.#error = messageOf(error);
      throw GantryError.is(error) ? error : internal(`plugin ${this.name} failed to start: ${messageOf(error)}`, { cause: error });
    });
    return this.#starting;
  }

  info(): PluginInfo {
    const { name, version, description = '', provides } = this.discovered.manifest;
    return {
      name,
      version,
      description,
      placement: 'in-process',
      state: this.#activation !== undefined ? 'ready' : this.#error !== undefined ? 'failed' : 'discovered',
      provides: provides.map(({ contract, drivers, features = [] }) => ({ contract, drivers, features })),
      ...(this.#error === undefined ? {} : { error: this.#error }),
      ...(this.#startedInMs === undefined ? {} : { startedInMs: this.#startedInMs }),
    };
  }

  async stop(): Promise<void> {
    this.#stop.abort(new DOMException(`plugin ${this.name} is stopped`, 'AbortError'));
    await this.#starting?.catch(() => {});
    await this.#activation?.deactivate?.();
  }

  async #start(): Promise<Drivers> {
    const startedAt = performance.now();
    const activation = await startInProcess(this.discovered, this.#host);
    const drivers = guarded(this.discovered, activation.drivers);
    this.#activation = activation;
    this.#error = undefined;
    this.#startedInMs = Math.round(performance.now() - startedAt);
    return drivers;
  }
}

/** A plugin may offer no more and no less than its manifest says: privileges were granted to the manifest. */
function guarded({ manifest }: Discovered, drivers: Drivers): Drivers {
  const promised = new Set(manifest.provides.flatMap(({ contract, drivers: names }) => names.map((name) => `${contract}/${name}`)));
  const result: { [Kind in DriverKind]?: Record<string, object> } = {};
  for (const [kind, byName] of Object.entries(drivers) as [DriverKind, Record<string, object>][]) {
    for (const [name, driver] of Object.entries(byName)) {
      if (!promised.delete(`${kind}/${name}`))
        throw conflict(`plugin ${manifest.name} offers ${kind} driver ${name}, which its manifest does not name`);
      const kept = (result[kind] ??= {});
      kept[name] = guard(driver, methodsOf[kind], `${kind} driver ${name}`);
    }
  }
  const [missing] = promised;
  if (missing !== undefined) throw conflict(`plugin ${manifest.name} does not offer ${missing}, which its manifest names`);
  return result as Drivers;
}
