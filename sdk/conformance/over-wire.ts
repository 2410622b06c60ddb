import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import { invalidArgument, messageOf, unavailable } from '../errors.ts';
import { durationMs, type Manifest } from '../manifest.ts';
import type { Activation, Drivers, HostContext } from '../plugin.ts';
import {
  connectGrpc,
  Dispatcher,
  handshake,
  hostServiceOf,
  overPort,
  type PluginService,
  remote,
  serveGrpc,
  type Wire,
} from '../rpc/index.ts';
import { MemoryHost } from '../testing/index.ts';
import type { Ctx } from '../types/index.ts';
import { type OpenedPlugin, type OpenOptions } from './opened-plugin.ts';
import { manifestIn } from '../serve/load.ts';
import { environmentOf, isGreeting, programOf } from '../serve/start.ts';

const instance = 'conformance.1';
const engineVersion = '0.1.0';

/**
 * Runs it in a worker thread or in a process of its own, behind the same adapter, programs, environment and handshake that the engine uses
 * (`../rpc`, `../serve`). Only the launch itself is not the engine's: that one confines, which takes root and what the engine runs on
 * (users, cgroups, namespaces), is above the SDK, and would keep authors from proving a plugin where they write it.
 */
export async function openOverWire(dir: string, { placement, ...options }: OpenOptions): Promise<OpenedPlugin> {
  const manifest = manifestIn(dir);
  await using undo = new AsyncDisposableStack();
  const memory = undo.use(new MemoryHost(manifest, options));
  const open = () => started(dir, { memory, start: placement === 'worker' ? startWorker : startProcess });
  let running = await open();
  undo.defer(() => running.stop());
  const whole = undo.move();
  return {
    manifest,
    get drivers() {
      return running.drivers;
    },
    get activation() {
      return running.activation;
    },
    get pid() {
      return running.pid;
    },
    ...(running.endInput === undefined ? {} : { endInput: () => running.endInput?.() }),
    dataDir: running.dataDir,
    log: memory.log,
    restart: async (meanwhile) => {
      await running.stop();
      await meanwhile?.();
      running = await open();
      return running.drivers;
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

interface Started {
  readonly wire: Wire;
  readonly pid: number;
  readonly endInput?: () => void;
  readonly stop: () => Promise<void>;
}
interface Starting {
  readonly manifest: Manifest;
  readonly context: HostContext;
  readonly token: string;
  readonly dispatcher: Dispatcher;
}
type Start = (dir: string, starting: Starting) => Promise<Started>;
interface Running extends Pick<Started, 'pid' | 'endInput' | 'stop'> {
  readonly drivers: Drivers;
  readonly activation: OpenedPlugin['activation'];
  readonly dataDir: string;
}

async function started(dir: string, { memory, start }: { readonly memory: MemoryHost; readonly start: Start }): Promise<Running> {
  const ending = new AbortController();
  const context = memory.context(ending.signal);
  const token = randomBytes(32).toString('base64');
  const host = hostServiceOf(context);
  const dispatcher = new Dispatcher({ find: (service) => (service === 'host' ? host : undefined), ctx: (facts) => facts });
  const { wire, pid, stop, ...further } = await start(dir, { manifest: memory.manifest, context, token, dispatcher });
  const end = async (): Promise<void> => {
    ending.abort();
    wire.close();
    await stop();
  };
  try {
    const plugin = remote<PluginService>(wire, 'plugin');
    const ctx = { signal: AbortSignal.timeout(10_000), operationId: 'conformance', log: context.log };
    await handshake(plugin, { manifest: memory.manifest, token, instance, engineVersion, ctx });
    const { drivers } = await plugin.configure({ settings: context.config, secrets: context.secrets, revision: 1 }, ctx);
    const byKind: Record<string, Record<string, object>> = {};
    for (const { contract, driver, methods, properties } of drivers) {
      (byKind[contract] ??= {})[driver] = remote(wire, contract, { driver, methods, properties });
    }
    return { drivers: byKind, activation: activationOf(plugin, context), dataDir: context.dataDir, pid, ...further, stop: end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** As long as a call may take: the cases have their own limits. */
function activationOf(plugin: PluginService, { log }: HostContext): Pick<Activation, 'configure' | 'selfTest' | 'reconcile'> {
  const ctx: Ctx = { signal: new AbortController().signal, operationId: 'conformance', log };
  return {
    configure: async (settings, secrets) => (await plugin.configure({ settings, secrets, revision: 2 }, ctx)).problems,
    selfTest: async (options) => (await plugin.selfTest(options, ctx)).checks,
    reconcile: (refs) => plugin.reconcile(refs, ctx),
  };
}

const startWorker: Start = async (dir, { context: { dataDir, runDir }, token, dispatcher }) => {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(workerProgram, { workerData: { dir, port: port2, token, dataDir, runDir }, transferList: [port2] });
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  failed.catch(() => {});
  await Promise.race([once(worker, 'message'), failed]);
  return { wire: overPort(port1, dispatcher), pid: process.pid, stop: async () => void (await worker.terminate()) };
};

const startProcess: Start = async (dir, { manifest, context: { dataDir, runDir }, token, dispatcher }) => {
  await using undo = new AsyncDisposableStack();
  const [hostSocket, socket] = [join(runDir, 'h.sock'), join(runDir, 'd.sock')];
  for (const path of [hostSocket, socket]) rmSync(path, { force: true });
  undo.use(await serveGrpc(hostSocket, ['host'], dispatcher));
  const [command, ...given] = programOf(dir, manifest);
  const env = environmentOf({ socket, hostSocket, token, instance, dataDir, runDir });
  const child = spawn(command, given, { cwd: dir, env, stdio: ['pipe', 'pipe', 'pipe'] });
  await once(child, 'spawn').catch((cause: unknown) => notThere(manifest, command, cause));
  const ended = once(child, 'exit');
  undo.defer(async () => {
    child.stdin.end();
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(late);
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4_096)));
  const within = manifest.startTimeout ?? '10s';
  const late = delay(durationMs(within), `it said nothing on stdout for ${within}`, { ref: false });
  // What it printed last may come after its end.
  const died = ended.then(() => delay(100, 'it ended'));
  const heard = once(createInterface(child.stdout), 'line').then(([line]: string[]) =>
    isGreeting(line ?? '') ? undefined : `its first line on stdout is ${JSON.stringify(line)}, not "GANTRY-PLUGIN 1 {…}"`,
  );
  const failure = await Promise.race([heard, died, late]);
  if (failure !== undefined) throw unavailable(`the plugin did not start: ${failure}${said === '' ? '' : `; it printed: ${said}`}`);
  const wire = await connectGrpc(`unix://${socket}`);
  const whole = undo.move();
  return { wire, pid: child.pid ?? 0, endInput: () => void child.stdin.end(), stop: () => whole.disposeAsync() };
};

function notThere({ name }: Manifest, program: string, cause: unknown): never {
  throw invalidArgument(`plugin ${name}: ${program} cannot be started: ${messageOf(cause)}`, {
    cause,
    hint: 'build the plugin first; entry.exec in its manifest names the program',
  });
}

/** Next to this file, as source or as built. */
const workerProgram = new URL(`../serve/worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
