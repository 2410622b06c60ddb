import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Logger } from '@gantry/sdk';
import { peerCredentials } from '@gantry/sdk/linux';

/** Who is at the other end of a connection, as far as the transport knows it. */
export type Caller =
  | { readonly kind: 'unix'; readonly pid: number; readonly uid: number; readonly gid: number }
  /** `certificates`: PEM, the client's own first. */
  | { readonly kind: 'tls'; readonly user: string; readonly address: string; readonly certificates: readonly string[] }
  | { readonly kind: 'unknown' };

/** Found out at the first question about a connection. */
export function callerOf({ socket }: IncomingMessage): Caller {
  const known = callers.get(socket) ?? (socket instanceof TLSSocket ? ofCertificate(socket) : ofSocket(socket));
  callers.set(socket, known);
  return known;
}

const callers = new WeakMap<Socket, Caller>();

const reading = new Set(['GET', 'HEAD', 'OPTIONS']);

/** One line for each call that may change something: who asked for what. The query is left out, since values of build arguments stand there. */
export function tellCall(log: Logger, request: IncomingMessage, path: string): void {
  if (reading.has(request.method ?? '') && request.headers.upgrade === undefined) return;
  const caller = callerOf(request);
  const who =
    caller.kind === 'unix'
      ? { pid: caller.pid, uid: caller.uid, gid: caller.gid }
      : caller.kind === 'tls'
        ? { user: caller.user, address: caller.address }
        : {};
  log.info({ audit: true, method: request.method, path: path.split('?', 1)[0], ...who }, 'API call');
}

/** Node keeps the descriptor in the handle of a socket, and nowhere else. */
function ofSocket(socket: Socket): Caller {
  const { fd = -1 } = (socket as { readonly _handle?: { readonly fd?: number } | null })._handle ?? {};
  if (fd < 0) return { kind: 'unknown' };
  return { kind: 'unix', ...peerCredentials(fd) };
}

function ofCertificate(socket: TLSSocket): Caller {
  const certificates: string[] = [];
  const own = socket.getPeerX509Certificate();
  // A root is its own issuer.
  for (let at = own; at !== undefined && !certificates.includes(at.toString()); at = at.issuerCertificate) certificates.push(at.toString());
  const user = /^CN=(.*)$/m.exec(own?.subject ?? '')?.[1] ?? '';
  return { kind: 'tls', user, address: `${socket.remoteAddress}:${socket.remotePort}`, certificates };
}
