import { type DriverKind, durationMs } from '@gantry/sdk';
import { guard, Load, methodsOf } from '../../drivers/index.ts';
import { KeyedMutex } from '../../support/index.ts';
import type { Plugin } from '../life/plugin.ts';
import type { PluginPolicy } from '../life/policy.ts';
import type { PluginRecord } from '../record.ts';
import { routed } from './routed.ts';

interface Guarded {
  /** One that was removed and installed anew is another, with the same name and generations. */
  readonly plugin: Plugin;
  readonly generation: number;
  readonly driver: object;
}

/** Drivers behind their guards: each once for a generation, with one bulkhead for all that a plugin has. */
export class Guards {
  readonly #policy: PluginPolicy;
  readonly #loads = new Map<string, Load>();
  readonly #mutexes = new Map<string, KeyedMutex>();
  readonly #guarded = new Map<string, Guarded>();

  constructor(policy: PluginPolicy) {
    this.#policy = policy;
  }

  /** Of the generation that serves, started when none does; undefined: the plugin has no such driver. */
  async driver(plugin: Plugin, kind: DriverKind, name: string): Promise<object | undefined> {
    const generation = await plugin.serving();
    const key = `${plugin.name} ${kind}/${name}`;
    const known = this.#guarded.get(key);
    if (known?.plugin === plugin && known.generation === generation.number) return known.driver;
    const naive = await generation.driver(kind, name);
    if (naive === undefined) return undefined;
    const driver = this.#guard(plugin, kind, name, naive);
    this.#guarded.set(key, { plugin, generation: generation.number, driver });
    return driver;
  }

  /** A new generation is not what the failures before it were of. */
  renewed(plugin: Plugin): void {
    this.#loads.get(plugin.name)?.forget();
  }

  removed(plugin: Plugin): void {
    this.#loads.delete(plugin.name);
  }

  #guard(plugin: Plugin, kind: DriverKind, name: string, naive: object): object {
    const methods = methodsOf[kind];
    const isOurs = plugin.record.placement === 'in-process';
    const label = isOurs || plugin.name === name ? `${kind} driver ${name}` : `${kind} driver ${name} of plugin ${plugin.name}`;
    const target = Object.keys(methods).length === 0 ? naive : routed(plugin, kind, name, naive, methods);
    return guard(target, methods, {
      label,
      load: once(this.#loads, plugin.name, () => new Load(`plugin ${plugin.name}`, isOurs ? unbounded : this.#boundsOf(plugin))),
      mutex: once(this.#mutexes, `${kind}/${name}`, () => new KeyedMutex()),
      timeouts: timeoutsOf(plugin.record, kind),
      onInvalid: (reason) => plugin.strike(reason),
    });
  }

  #boundsOf(plugin: Plugin): ConstructorParameters<typeof Load>[1] {
    return {
      concurrency: plugin.record.manifest.concurrency ?? 16,
      breaker: this.#policy.breaker.count,
      openMs: this.#policy.breaker.openMs,
      onBreaker: (reason) => plugin.complain('breaker', reason === undefined ? [] : [reason]),
    };
  }
}

/** A built-in part in this process is as dependable as the engine: it has no bulkhead that could be full. */
const unbounded = { concurrency: 1_000, queue: 10_000, breaker: 1_000 } as const;

function once<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

/** "volume.attach": "60s", within ten times what the method's class has. */
function timeoutsOf({ manifest: { timeouts = {} } }: PluginRecord, kind: DriverKind): Readonly<Record<string, number>> {
  const mine = Object.entries(timeouts).filter(([key]) => key.startsWith(`${kind}.`));
  return Object.fromEntries(mine.map(([key, text]) => [key.slice(kind.length + 1), Math.min(durationMs(text), 3_600_000)]));
}
