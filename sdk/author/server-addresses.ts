import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { unavailable } from '../errors.ts';
import type { Mount } from '../types/index.ts';
import { untilAborted } from './keyed-queue.ts';

/** Adds `addr=` to mounts of network file systems that have none: mount(2) takes addresses, and nobody behind it looks names up. */
export function withAddresses(mounts: readonly Mount[], signal: AbortSignal): Promise<readonly Mount[]> {
  return Promise.all(mounts.map((described) => withAddress(described, signal)));
}

async function withAddress(described: Mount, signal: AbortSignal): Promise<Mount> {
  const server = serverOf(described);
  if (server === undefined) return described;
  return { ...described, options: [...(described.options ?? []), `addr=${await addressOf(server, signal)}`] };
}

function serverOf({ type, source, options = [] }: Mount): string | undefined {
  if (!('opaque' in source) || options.some((option) => option.startsWith('addr='))) return undefined;
  if (type === 'nfs' || type === 'nfs4') return /^(?:\[(.+)\]|([^:]+)):\//.exec(source.opaque)?.slice(1).find(Boolean);
  return type === 'cifs' ? /^\/\/([^/]+)\//.exec(source.opaque)?.[1] : undefined;
}

async function addressOf(server: string, signal: AbortSignal): Promise<string> {
  if (isIP(server) !== 0) return server;
  try {
    return (await untilAborted(lookup(server), signal)).address;
  } catch (error) {
    signal.throwIfAborted();
    throw unavailable(`address of server ${server} not found`, { cause: error, reason: 'SERVER_UNKNOWN' });
  }
}
