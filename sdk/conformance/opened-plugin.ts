import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { invalidArgument } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { Activation, Drivers, HostContext, PluginModule } from '../plugin.ts';
import { importPlugin } from '../rpc/import-plugin.ts';
import type { PluginService, Wire } from '../rpc/index.ts';
import { lendSdk, manifestIn } from '../serve/load.ts';
import { type CapturedLine, type HostOptions, hostFor, type MemoryState } from '../testing/index.ts';
import type { ChaosProxy } from './chaos/index.ts';
import type { PluginProcess } from '../serve/plugin-process.ts';

export type ConformancePlacement = 'in-process' | 'worker' | 'process';

/** A plugin under test, wherever it runs, over empty state and an empty data folder. */
export interface OpenedPlugin extends AsyncDisposable {
  readonly manifest: Manifest;
  readonly drivers: Drivers;
  readonly dataDir: string;
  readonly activation: Pick<Activation, 'configure' | 'selfTest' | 'reconcile'>;
  /** What it logged so far. */
  readonly log: readonly CapturedLine[];
  /** The process that it runs in. */
  readonly pid: number;
  /** Ends its standard input, as an engine that goes away does; of a process only. */
  readonly endInput?: () => void;
  /** What it was started with. */
  readonly configured?: Pick<HostContext, 'config' | 'secrets'>;
  /** What the engine keeps for it. */
  readonly state?: MemoryState;
  /** Behind a wire: its own service, calls as bytes, and the secret of this start. */
  readonly wire?: PluginWire | undefined;
  /** In a process of its own. */
  readonly process?: PluginProcess | undefined;
  /** Calls go through it. */
  readonly chaos?: ChaosProxy | undefined;
  /** Ends it and starts it again over the same state and folder; `meanwhile` is done while there is none. */
  restart(meanwhile?: () => Promise<void>): Promise<Drivers>;
  /** Another generation at the same time, over the same state and folder. */
  beside?(): Promise<Pick<OpenedPlugin, 'drivers' | 'activation'> & AsyncDisposable>;
}
export interface PluginWire {
  readonly wire: Wire;
  readonly service: PluginService;
  readonly token: string;
}
/** How a plugin is opened in one placement: the seam for other placements than the test's own process. */
export type OpenPlugin = (dir: string, options: OpenOptions) => Promise<OpenedPlugin>;
export interface OpenOptions extends Pick<HostOptions, 'settings' | 'root'> {
  readonly placement: ConformancePlacement;
  /** A proxy stands between, which lets calls meet with faults; in placement process. */
  readonly chaos?: boolean;
  /** A file that its calls of the kernel are written to, as far as a sandbox may refuse them; in placement process. */
  readonly trace?: string;
}

/** Runs it where it is asked for, with an engine in memory. */
export async function openPlugin(dir: string, options: OpenOptions): Promise<OpenedPlugin> {
  if (options.placement === 'in-process') return openInProcess(dir, options);
  // gRPC is slow to load, and most runs do without it.
  const { openOverWire } = await import('./over-wire.ts');
  return openOverWire(dir, options);
}

/** Runs it here. */
async function openInProcess(dir: string, { settings, root }: OpenOptions): Promise<OpenedPlugin> {
  const manifest = manifestIn(dir);
  const options = { manifest, ...(settings === undefined ? {} : { settings }), ...(root === undefined ? {} : { root }) };
  const host = await hostFor(await loadModule(dir, manifest), options);
  return {
    manifest,
    get drivers() {
      return host.drivers;
    },
    get activation() {
      return host.activation;
    },
    dataDir: host.context.dataDir,
    configured: host.context,
    state: host.state,
    log: host.log,
    pid: process.pid,
    restart: async (meanwhile) => {
      await host.restart(meanwhile);
      return host.drivers;
    },
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

/** A folder's module, by the entry of its manifest; with the SDK that this is when the folder has none of its own. */
export async function loadModule(dir: string, { entry }: Pick<Manifest, 'entry'>): Promise<PluginModule> {
  if (entry.node === undefined) throw invalidArgument(`${dir}: entry.node is missing, so that it cannot run in this process`);
  lendSdk();
  return importPlugin(pathToFileURL(join(dir, entry.node)).href);
}
