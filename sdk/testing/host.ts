import { conflict, invalidArgument, notFound } from '../errors.ts';
import { checkManifest, type Manifest } from '../manifest.ts';
import type { Activation, DriverKind, DriverKinds, Drivers, HostContext, PluginModule, Report } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import type { CapturedLine } from './captured-log.ts';
import { MemoryHost, type MemoryHostOptions } from './memory-host.ts';
import type { MemoryState } from './memory-state.ts';
import { type Call, recording } from './recording.ts';

export interface HostOptions extends MemoryHostOptions {
  /** Instead of the module's own. */
  readonly manifest?: Manifest;
}

/** An engine as a plugin sees one, in memory: state, folders, a log, settings. Nothing that a driver describes is executed. */
export interface TestHost extends AsyncDisposable {
  readonly manifest: Manifest;
  readonly context: HostContext;
  readonly state: MemoryState;
  readonly log: readonly CapturedLine[];
  readonly reports: readonly Report[];
  /** Every call to a driver, with what it answered: the plans are in there. */
  readonly calls: readonly Call[];
  readonly activation: Activation;
  readonly drivers: Drivers;
  driver<Kind extends DriverKind>(kind: Kind, name?: string): DriverKinds[Kind];
  /** A context for a call. */
  ctx(signal?: AbortSignal): Ctx;
  /** Stops the plugin and starts it again over the same state and folders; `meanwhile` is done while there is none. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
}

/** Activates a plugin for a test; ends it and deletes its folders when disposed. A driver needs neither root nor an engine for it. */
export async function hostFor(module: PluginModule, options: HostOptions = {}): Promise<TestHost> {
  const manifest = checkManifest(options.manifest ?? module.manifest ?? withoutManifest());
  await using undo = new AsyncDisposableStack();
  const memory = undo.use(new MemoryHost(manifest, options));
  const calls: Call[] = [];
  let stop = new AbortController();
  const start = async () => {
    stop = new AbortController();
    const context = memory.context(stop.signal);
    const activation = await module.activate(context);
    checkDrivers(manifest, activation.drivers);
    return { context, activation, drivers: recording(activation.drivers, calls) };
  };
  const end = async (): Promise<void> => {
    stop.abort(new DOMException(`plugin ${manifest.name} is stopped`, 'AbortError'));
    await running.activation.deactivate?.();
  };
  let running = await start();
  undo.defer(end);
  const whole = undo.move();
  return {
    manifest,
    state: memory.state,
    log: memory.log,
    reports: memory.reports,
    calls,
    get context() {
      return running.context;
    },
    get activation() {
      return running.activation;
    },
    get drivers() {
      return running.drivers;
    },
    driver(kind, name) {
      const byName: Readonly<Record<string, DriverKinds[typeof kind]>> = running.drivers[kind] ?? {};
      const driver = name === undefined ? Object.values(byName)[0] : byName[name];
      if (driver === undefined) throw notFound(`plugin ${manifest.name} has no ${kind} driver ${name ?? ''}`);
      return driver;
    },
    ctx: (signal = new AbortController().signal) => ({ signal, log: running.context.log, operationId: `test-${calls.length}` }),
    async restart(meanwhile) {
      await end();
      await meanwhile?.();
      running = await start();
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

function checkDrivers({ name, provides }: Manifest, drivers: Drivers): void {
  for (const { contract, drivers: names } of provides) {
    for (const driver of names) {
      if (driver !== '*' && drivers[contract]?.[driver] === undefined)
        throw conflict(`plugin ${name} does not offer ${contract}/${driver}, which its manifest names`);
    }
  }
}

function withoutManifest(): never {
  throw invalidArgument('the module has no manifest of its own: give the one of gantry-plugin.json');
}
