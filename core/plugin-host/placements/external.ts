import { chownSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type HostContext, type Logger, type Manifest, unavailable } from '@gantry/sdk';
import { connectGrpc, Dispatcher, handshake, hostServiceOf, type PluginService, remote, serveGrpc } from '@gantry/sdk/rpc';
import { driverContext } from '../../drivers/index.ts';
import type { Ending, Link } from './link.ts';
import { linkOver } from './remote-link.ts';

export interface ExternalStart {
  readonly manifest: Manifest;
  readonly address: string;
  readonly token: string;
  readonly instance: string;
  readonly engineVersion: string;
  readonly host: HostContext;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * A plugin that somebody else runs. Only the connection is ours: it is asked for a sign of life, and left alone at the end. It is told where
 * the engine serves it, and its folders are of the user that its socket belongs to.
 */
export async function startExternal(start: ExternalStart): Promise<Link> {
  const { manifest, address, token, instance, engineVersion, host, log, signal } = start;
  await using undo = new AsyncDisposableStack();
  const wire = undo.adopt(await connectGrpc(address, { connectTimeoutMs: 5_000 }), (connected) => connected.close());
  const service = remote<PluginService>(wire, 'plugin');
  await handshake(service, { manifest, token, instance, engineVersion, ctx: driverContext(log, signal) });
  const hostSocket = await serveHost(start, undo);
  const ended = Promise.withResolvers<Ending>();
  const timer = setInterval(() => {
    service.ping({}, driverContext(log, AbortSignal.timeout(5_000))).catch(() => leave(`nobody answers at ${address}`));
  }, 5_000);
  timer.unref();
  const owned = undo.move();
  const leave = async (reason: string): Promise<void> => {
    clearInterval(timer);
    await owned.disposeAsync();
    ended.resolve({ reason });
  };
  const surroundings = { hostEndpoint: `unix://${hostSocket}`, dataDir: host.dataDir, runDir: host.runDir };
  return {
    ...linkOver(wire, service, { log, settleMs: 30_000, surroundings }),
    ended: ended.promise,
    stop: () => leave('the engine let go of it'),
    kill: (reason) => leave(reason),
  };
}

/** Where this generation reaches the engine. */
async function serveHost({ address, instance, host, log }: ExternalStart, undo: AsyncDisposableStack): Promise<string> {
  const { uid, gid } = statSync(pathOf(address) ?? '/');
  const folder = join(host.runDir, instance.slice(instance.lastIndexOf('.') + 1));
  for (const path of [host.dataDir, host.runDir, folder]) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chownSync(path, uid, gid);
  }
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const socket = join(folder, 'h.sock');
  const service = hostServiceOf(host);
  const find = (name: string): object | undefined => (name === 'host' ? service : undefined);
  undo.use(await serveGrpc(socket, ['host'], new Dispatcher({ find, ctx: (facts) => ({ ...facts, log }) })));
  chownSync(socket, uid, gid);
  return socket;
}

const pathOf = (address: string): string | undefined => /^unix:\/\/(\/[^\0]+)$/.exec(address)?.[1];

/** Why an address cannot be one. */
export function checkAddress(address: string): void {
  const path = pathOf(address);
  if (path === undefined) throw unavailable(`${address} is no address of a plugin`, { hint: 'unix:///absolute/path' });
  if (Buffer.byteLength(path) > 107) throw unavailable(`the socket path ${path} has more than 107 bytes`);
}
