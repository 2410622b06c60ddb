import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { problemsOf, type Schema, secretNames, withDefaults } from '../author/index.ts';
import { conflict, invalidArgument, notFound } from '../errors.ts';
import { checkManifest, type Manifest } from '../manifest.ts';
import type { Activation, DriverKind, DriverKinds, Drivers, HostContext, PluginModule, Report } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import { type CapturedLine, capturedLog } from './captured-log.ts';
import { MemoryState } from './memory-state.ts';
import { recording, type Call } from './recording.ts';

export interface HostOptions {
  /** Checked against the manifest's schema; those that it marks `x-secret` go to `secrets`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Instead of the module's own. */
  readonly manifest?: Manifest;
  /** Answers of `lookup`, by "kind/id". */
  readonly facts?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Where its folders are made; the system's folder for temporary files unless given. */
  readonly root?: string;
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
  /** Stops the plugin and starts it again over the same state and folders. */
  restart(): Promise<void>;
}

/** Activates a plugin for a test; ends it and deletes its folders when disposed. A driver needs neither root nor an engine for it. */
export async function hostFor(module: PluginModule, options: HostOptions = {}): Promise<TestHost> {
  const { facts = {}, root = tmpdir() } = options;
  const manifest = checkManifest(options.manifest ?? module.manifest ?? fail());
  const folder = mkdtempSync(join(root, 'gantry-plugin-'));
  const state = new MemoryState();
  const log: CapturedLine[] = [];
  const reports: Report[] = [];
  const calls: Call[] = [];
  let stop = new AbortController();
  const start = async () => {
    stop = new AbortController();
    const context: HostContext = {
      name: manifest.name,
      ...settingsOf(manifest, options.settings ?? {}),
      dataDir: madeFolder(folder, 'data'),
      runDir: madeFolder(folder, 'run'),
      state,
      log: capturedLog(log, { plugin: manifest.name }),
      lookup: async (kind, id) => facts[`${kind}/${id}`],
      subscribe: async function* () {},
      report: async (report) => void reports.push(report),
      signal: stop.signal,
    };
    const activation = await module.activate(context);
    checkDrivers(manifest, activation.drivers);
    return { context, activation, drivers: recording(activation.drivers, calls) };
  };
  const end = async (activation: Activation): Promise<void> => {
    stop.abort(new DOMException(`plugin ${manifest.name} is stopped`, 'AbortError'));
    await activation.deactivate?.();
  };
  let running = await start();
  return {
    manifest,
    state,
    log,
    reports,
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
    async restart() {
      await end(running.activation);
      running = await start();
    },
    async [Symbol.asyncDispose]() {
      await end(running.activation);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As the engine does it: checked, defaults filled in, secrets apart. */
function settingsOf(manifest: Manifest, given: Readonly<Record<string, unknown>>): Pick<HostContext, 'config' | 'secrets'> {
  const schema: Schema = manifest.settings ?? {};
  const filled = withDefaults(schema, given);
  const [problem] = problemsOf(schema, filled).filter(({ message }) => message !== 'is missing');
  if (problem !== undefined) throw invalidArgument(`setting ${problem.path} ${problem.message}`, { reason: 'SETTING_INVALID' });
  const hidden = secretNames(schema);
  const entries = Object.entries(filled);
  return {
    config: Object.fromEntries(entries.filter(([name]) => !hidden.includes(name))),
    secrets: Object.fromEntries(entries.filter(([name]) => hidden.includes(name)).map(([name, value]) => [name, String(value)])),
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

function madeFolder(root: string, name: string): string {
  const path = join(root, name);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

function fail(): never {
  throw invalidArgument('the module has no manifest of its own: give the one of gantry-plugin.json');
}
