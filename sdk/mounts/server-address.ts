import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { unavailable } from '../errors.ts';
import type { Abortable, Mount } from '../types/index.ts';

const networkTypes = new Set(['nfs', 'nfs4', 'cifs', 'smb3']);

/**
 * The options of a mount of a network file system, with the server's address: mount(2) takes addresses, and nobody behind it looks names up. A name in `addr=` is
 * replaced; without `addr=` it is the server in the source. `unavailable` when the name is not known.
 */
export async function withServerAddress({ type, source, options = [] }: Mount, { signal }: Abortable): Promise<readonly string[]> {
  if (!networkTypes.has(type) || !('opaque' in source)) return options;
  const given = options.find((option) => option.startsWith('addr='))?.slice('addr='.length);
  const server = given ?? serverOf(type, source.opaque);
  if (server === undefined) return options;
  const address = await addressOf(server, signal);
  return [...options.filter((option) => !option.startsWith('addr=')), `addr=${address}`];
}

/** "server:/export", "[2001:db8::1]:/export", "//server/share" */
function serverOf(type: string, source: string): string | undefined {
  if (type === 'nfs' || type === 'nfs4') return /^(?:\[(.+)\]|([^:]+)):\//.exec(source)?.slice(1).find(Boolean);
  return /^\/\/([^/]+)\//.exec(source)?.[1];
}

async function addressOf(server: string, signal: AbortSignal | undefined): Promise<string> {
  if (isIP(server) !== 0) return server;
  const gone = Promise.withResolvers<never>();
  const onAbort = (): void => gone.reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return (await Promise.race([lookup(server), gone.promise])).address;
  } catch (error) {
    signal?.throwIfAborted();
    throw unavailable(`address of server ${server} not found`, { cause: error, reason: 'SERVER_UNKNOWN' });
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
