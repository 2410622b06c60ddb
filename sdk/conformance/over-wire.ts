import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Manifest } from '../manifest.ts';
import type { Drivers, HostContext } from '../plugin.ts';
import { connectGrpc, connectPlugin, Dispatcher, hostServiceOf, overPort, serveGrpc, type Wire } from '../rpc/index.ts';
import { MemoryHost } from '../testing/index.ts';
import { manifestIn } from '../serve/load.ts';
import { environmentOf } from '../serve/start.ts';
import { type ChaosProxy, chaosProxy } from './chaos/index.ts';
import type { OpenedPlugin, OpenOptions, PluginWire } from './opened-plugin.ts';
import { type PluginProcess, spawnPlugin } from '../serve/plugin-process.ts';
import { tracing } from './traced-calls.ts';

/**
 * Runs it in a worker thread or in a process of its own, behind the same adapter, programs, environment and handshake that the engine uses
 * (`../rpc`, `../serve`). Only the launch itself is not the engine's: that one confines, which takes root and what the engine runs on
 * (users, cgroups, namespaces), is above the SDK, and would keep authors from proving a plugin where they write it.
 */
export async function openOverWire(dir: string, { placement, chaos = false, trace, ...options }: OpenOptions): Promise<OpenedPlugin> {
  const manifest = manifestIn(dir);
  await using undo = new AsyncDisposableStack();
  const memory = undo.use(new MemoryHost(manifest, options));
  let generation = 0;
  const open = () => {
    generation += 1;
    return started(dir, { memory, generation, start: placement === 'worker' ? startWorker : processStart({ withChaos: chaos, trace }) });
  };
  let running = await open();
  undo.defer(() => running.stop());
  const whole = undo.move();
  return {
    manifest,
    configured: running.configured,
    state: memory.state,
    get drivers() {
      return running.drivers;
    },
    get activation() {
      return running.activation;
    },
    get pid() {
      return running.pid;
    },
    get wire() {
      return running.plugin;
    },
    get process() {
      return running.process;
    },
    ...(running.process === undefined ? {} : { endInput: () => running.process?.closeStdin() }),
    get chaos() {
      return running.chaos;
    },
    dataDir: running.dataDir,
    log: memory.log,
    restart: async (meanwhile) => {
      await running.stop();
      await meanwhile?.();
      running = await open();
      return running.drivers;
    },
    beside: async () => {
      const second = await open();
      return { drivers: second.drivers, activation: second.activation, [Symbol.asyncDispose]: () => second.stop() };
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

interface Started {
  readonly wire: Wire;
  readonly pid: number;
  readonly process?: PluginProcess;
  readonly chaos?: ChaosProxy;
  readonly stop: () => Promise<void>;
}
interface Starting {
  readonly manifest: Manifest;
  /** "<plugin id>.<generation>" */
  readonly instance: string;
  readonly context: HostContext;
  readonly token: string;
  readonly dispatcher: Dispatcher;
  /** Its own, for its sockets. */
  readonly folder: string;
}
type Start = (dir: string, starting: Starting) => Promise<Started>;
interface Running extends Pick<Started, 'pid' | 'stop' | 'process' | 'chaos'> {
  readonly drivers: Drivers;
  readonly activation: OpenedPlugin['activation'];
  readonly dataDir: string;
  readonly configured: HostContext;
  readonly plugin: PluginWire;
}

async function started(
  dir: string,
  { memory, generation, start }: { readonly memory: MemoryHost; readonly generation: number; readonly start: Start },
): Promise<Running> {
  const ending = new AbortController();
  const context = memory.context(ending.signal);
  const token = randomBytes(32).toString('base64');
  const host = hostServiceOf(context);
  const dispatcher = new Dispatcher({ find: (service) => (service === 'host' ? host : undefined), ctx: (facts) => facts });
  const folder = join(context.runDir, String(generation));
  mkdirSync(folder, { mode: 0o700 });
  const { manifest } = memory;
  const instance = `conformance.${generation}`;
  const { wire, stop, ...about } = await start(dir, { manifest, instance, context, token, dispatcher, folder });
  const end = async (): Promise<void> => {
    ending.abort();
    wire.close();
    await stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { service, drivers, activation } = await connectPlugin(wire, { manifest, token, instance, context });
    const plugin = { wire, service, token };
    return { drivers, activation, dataDir: context.dataDir, configured: context, ...about, plugin, stop: end };
  } catch (error) {
    await end();
    throw error;
  }
}

const startWorker: Start = async (dir, { context: { dataDir, runDir }, token, dispatcher }) => {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(workerProgram, { workerData: { dir, port: port2, token, dataDir, runDir }, transferList: [port2] });
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  failed.catch(() => {});
  await Promise.race([once(worker, 'message'), failed]);
  return { wire: overPort(port1, dispatcher), pid: process.pid, stop: async () => void (await worker.terminate()) };
};

/** With chaos, the plugin's socket is another, and a proxy listens where it would. */
function processStart({ withChaos, trace }: { readonly withChaos: boolean; readonly trace: string | undefined }): Start {
  return async (dir, { manifest, instance, context: { dataDir, runDir }, token, dispatcher, folder }) => {
    await using undo = new AsyncDisposableStack();
    const [hostSocket, asked] = [join(folder, 'h.sock'), join(folder, 'd.sock')];
    const pluginSocket = withChaos ? join(folder, 'p.sock') : asked;
    undo.use(await serveGrpc(hostSocket, ['host'], dispatcher));
    const env = environmentOf({ socket: pluginSocket, hostSocket, token, instance, dataDir, runDir });
    const child = undo.use(await spawnPlugin(dir, manifest, { env, before: trace === undefined ? [] : tracing(trace) }));
    const chaos = withChaos ? undo.use(await chaosProxy({ listen: asked, plugin: pluginSocket })) : undefined;
    const wire = await connectGrpc(`unix://${asked}`);
    const whole = undo.move();
    return { wire, pid: child.pid, process: child, ...(chaos === undefined ? {} : { chaos }), stop: () => whole.disposeAsync() };
  };
}

/** Next to this file, as source or as built. */
const workerProgram = new URL(`../serve/worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
