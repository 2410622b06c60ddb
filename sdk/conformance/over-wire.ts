import { spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import { forbidden, unavailable } from '../errors.ts';
import type { Activation, Drivers, HostContext } from '../plugin.ts';
import { connectGrpc, Dispatcher, hostServiceOf, overPort, type PluginService, remote, serveGrpc, type Wire } from '../rpc/index.ts';
import { MemoryHost } from '../testing/index.ts';
import type { Ctx } from '../types/index.ts';
import { type OpenedPlugin, type OpenOptions } from './opened-plugin.ts';
import { manifestIn } from '../serve/load.ts';

/** Runs it in a worker thread or in a process of its own, behind the same adapter and the same programs that the engine uses, without a sandbox. */
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
    dataDir: running.dataDir,
    log: memory.log,
    restart: async () => {
      await running.stop();
      running = await open();
      return running.drivers;
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

interface Started {
  readonly wire: Wire;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}
interface Starting {
  readonly context: HostContext;
  readonly token: string;
  readonly dispatcher: Dispatcher;
}
type Start = (dir: string, starting: Starting) => Promise<Started>;
interface Running extends Pick<Started, 'pid' | 'stop'> {
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
  const { wire, pid, stop } = await start(dir, { context, token, dispatcher });
  const end = async (): Promise<void> => {
    ending.abort();
    wire.close();
    await stop();
  };
  try {
    const plugin = remote<PluginService>(wire, 'plugin');
    const ctx = { signal: AbortSignal.timeout(10_000), operationId: 'conformance', log: context.log };
    await shakeHands(plugin, memory, { token, ctx });
    const { drivers } = await plugin.configure({ settings: context.config, secrets: context.secrets, revision: 1 }, ctx);
    const byKind: Record<string, Record<string, object>> = {};
    for (const { contract, driver, methods, properties } of drivers) {
      (byKind[contract] ??= {})[driver] = remote(wire, contract, { driver, methods, properties });
    }
    return { drivers: byKind, activation: activationOf(plugin, context), dataDir: context.dataDir, pid, stop: end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function shakeHands(
  plugin: PluginService,
  { manifest }: MemoryHost,
  { token, ctx }: { readonly token: string; readonly ctx: Ctx },
): Promise<void> {
  const challenge = randomBytes(32);
  const offers = manifest.provides.map(({ contract, versions }) => ({ contract, versions }));
  const { proof } = await plugin.handshake({ engineVersion: '0.1.0', bootstrap: 1, offers, instance: 'conformance.1', challenge }, ctx);
  if (!createHmac('sha256', token).update(challenge).digest().equals(proof))
    throw forbidden('the plugin that answers is not the one that was started');
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
  const worker = new Worker(program('worker'), { workerData: { dir, port: port2, token, dataDir, runDir }, transferList: [port2] });
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  failed.catch(() => {});
  await Promise.race([once(worker, 'message'), failed]);
  return { wire: overPort(port1, dispatcher), pid: process.pid, stop: async () => void (await worker.terminate()) };
};

const startProcess: Start = async (dir, { context: { dataDir, runDir }, token, dispatcher }) => {
  await using undo = new AsyncDisposableStack();
  const [hostSocket, pluginSocket] = [join(runDir, 'h.sock'), join(runDir, 'd.sock')];
  for (const path of [hostSocket, pluginSocket]) rmSync(path, { force: true });
  undo.use(await serveGrpc(hostSocket, ['host'], dispatcher));
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    GANTRY_PLUGIN: '1',
    GANTRY_PLUGIN_BOOTSTRAP: '1',
    GANTRY_PLUGIN_ENDPOINT: `unix://${pluginSocket}`,
    GANTRY_HOST_ENDPOINT: `unix://${hostSocket}`,
    GANTRY_PLUGIN_TOKEN: token,
    GANTRY_DATA_DIR: dataDir,
    GANTRY_RUN_DIR: runDir,
  };
  const [command = '', ...given] = commandOf(dir);
  const child = spawn(command, given, { cwd: dir, env, stdio: ['pipe', 'pipe', 'pipe'] });
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
  const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended.then(() => [undefined])])) as [string | undefined];
  if (line?.startsWith('GANTRY-PLUGIN 1 ') !== true) throw unavailable(`the plugin did not start: ${line ?? ''}${said}`);
  const wire = await connectGrpc(`unix://${pluginSocket}`);
  const whole = undo.move();
  return { wire, pid: child.pid ?? 0, stop: () => whole.disposeAsync() };
};

/** Its own program, of whatever language, or ours for a Node module. */
function commandOf(dir: string): readonly string[] {
  const [command, ...given] = manifestIn(dir).entry.exec ?? [];
  if (command === undefined) return [process.execPath, fileURLToPath(program('process')), dir];
  return [isAbsolute(command) ? command : join(dir, command), ...given];
}

/** Next to this file, as source or as built. */
function program(name: 'worker' | 'process'): URL {
  return new URL(`../serve/${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}
