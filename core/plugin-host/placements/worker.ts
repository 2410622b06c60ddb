import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { MessageChannel, Worker } from 'node:worker_threads';
import { type HostContext, type Logger, messageOf, unavailable } from '@gantry/sdk';
import { Dispatcher, handshake, type HostService, hostServiceOf, overPort, type PluginService, remote } from '@gantry/sdk/rpc';
import { driverContext } from '../../drivers/index.ts';
import type { Ending, Link } from './link.ts';
import type { Output } from './output.ts';
import type { Version } from '../record.ts';
import { linkOver } from './remote-link.ts';
import { byteSize } from './sizes.ts';

export interface WorkerStart {
  readonly version: Version;
  readonly instance: string;
  readonly engineVersion: string;
  readonly host: HostContext;
  readonly log: Logger;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** A plugin in a thread of the engine's process: its own heap and module graph, not its own system calls. */
export async function startWorker({ version, instance, engineVersion, host, log, output, signal }: WorkerStart): Promise<Link> {
  const { manifest, dir } = version;
  const { port1, port2 } = new MessageChannel();
  const token = randomBytes(32).toString('base64');
  const worker = new Worker(new URL('../../../sdk/serve/worker.ts', import.meta.url), {
    workerData: { dir, port: port2, token, dataDir: host.dataDir, runDir: host.runDir },
    transferList: [port2],
    env: {},
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil(byteSize(manifest.resources?.memory ?? '256MiB') / 2 ** 20) },
  });
  for (const source of ['stdout', 'stderr'] as const)
    createInterface({ input: worker[source] }).on('line', (line) => output.add({ time: new Date(), source, line }));
  let failure: string | undefined;
  const ended = new Promise<Ending>((resolve) => {
    worker.once('error', (error) => (failure = messageOf(error)));
    worker.once('exit', (code) =>
      resolve({ reason: failure ?? `the worker ended with code ${code}`, isOom: failure?.includes('memory limit') === true }),
    );
  });
  const hostService = hostServiceOf(host);
  const dispatcher = new Dispatcher({
    find: (service): HostService | undefined => (service === 'host' ? hostService : undefined),
    ctx: (facts) => ({ ...facts, log }),
  });
  const wire = overPort(port1, dispatcher);
  void ended.then(() => wire.close());
  const kill = async (): Promise<void> => {
    await worker.terminate();
    await ended;
  };
  try {
    await ready(worker, ended, signal);
    const service = remote<PluginService>(wire, 'plugin');
    await handshake(service, { manifest, token, instance, engineVersion, ctx: driverContext(log, signal) });
    worker.unref();
    return {
      ...linkOver(wire, service, { log, settleMs: 30_000 }),
      ended,
      kill,
      async stop() {
        worker.postMessage('stop');
        const timer = setTimeout(() => void worker.terminate(), 10_000);
        await ended;
        clearTimeout(timer);
      },
    };
  } catch (error) {
    await kill();
    throw error;
  }
}

function ready(worker: Worker, ended: Promise<Ending>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('message', () => resolve());
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    void ended.then(({ reason }) => reject(unavailable(`it ended before it was ready: ${reason}`)));
  });
}
