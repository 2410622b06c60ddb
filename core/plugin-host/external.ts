import { type Logger, type Manifest, unavailable } from '@gantry/sdk';
import { connectGrpc, type PluginService, remote } from '@gantry/sdk/rpc';
import { driverContext } from '../drivers/index.ts';
import { handshake } from './handshake.ts';
import type { Ending, Link } from './link.ts';
import { linkOver } from './remote-link.ts';

export interface ExternalStart {
  readonly manifest: Manifest;
  readonly address: string;
  readonly token: string;
  readonly instance: string;
  readonly engineVersion: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A plugin that somebody else runs. Only the connection is ours: it is asked for a sign of life, and left alone at the end. */
export async function startExternal({ manifest, address, token, instance, engineVersion, log, signal }: ExternalStart): Promise<Link> {
  const wire = await connectGrpc(address, { connectTimeoutMs: 5_000 });
  const service = remote<PluginService>(wire, 'plugin');
  const ended = Promise.withResolvers<Ending>();
  try {
    await handshake(service, { manifest, token, instance, engineVersion, ctx: driverContext(log, signal) });
  } catch (error) {
    wire.close();
    throw error;
  }
  const leave = async (reason: string): Promise<void> => {
    wire.close();
    ended.resolve({ reason });
  };
  const timer = setInterval(() => {
    service.ping({}, driverContext(log, AbortSignal.timeout(5_000))).catch(() => leave(`nobody answers at ${address}`));
  }, 5_000);
  timer.unref();
  void ended.promise.then(() => clearInterval(timer));
  return {
    ...linkOver(wire, service, { log, settleMs: 30_000 }),
    ended: ended.promise,
    stop: () => leave('the engine let go of it'),
    kill: (reason) => leave(reason),
  };
}

/** Why an address cannot be one. */
export function checkAddress(address: string): void {
  const path = /^unix:\/\/(\/[^\0]+)$/.exec(address)?.[1];
  if (path === undefined) throw unavailable(`${address} is no address of a plugin`, { hint: 'unix:///absolute/path' });
  if (Buffer.byteLength(path) > 107) throw unavailable(`the socket path ${path} has more than 107 bytes`);
}
