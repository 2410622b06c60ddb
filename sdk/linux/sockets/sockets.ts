import { closeSync } from 'node:fs';
import { declare } from '../calls.ts';
import { checked } from '../errno.ts';
import { ipBytes } from '../net/ip.ts';
import { withNetns, type Netns } from '../net/netns.ts';

/** Sockets made in another network namespace, for node:net (`server.listen({ fd })`) and node:dgram (`socket.bind({ fd })`) to adopt: a socket keeps the namespace it was made in. */

export interface BoundSocketOptions {
  readonly kind: 'tcp' | 'udp';
  readonly ip: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** SO_REUSEADDR of a TCP socket, true by default: false lets nobody else bind the port, listening or not, but fails while old connections linger in TIME_WAIT. */
  readonly isReusable?: boolean;
}

/** A bound socket in a network namespace, non-blocking and close-on-exec; an IPv6 one takes IPv6 only. Throws EADDRINUSE, EADDRNOTAVAIL, … Close it, or give it away. */
export function boundSocketIn(netns: Netns, { kind, ip, port, isReusable = true }: BoundSocketOptions): number {
  const { family, bytes } = ipBytes(ip);
  const socket = socketIn(netns, { domain: family, type: kind === 'tcp' ? 1 : 2 });
  try {
    if (kind === 'tcp' && isReusable) setSocketOption(socket, { level: 1, name: 2 /* SO_REUSEADDR */, value: 1 });
    if (family === 10) setSocketOption(socket, { level: 41, name: 26 /* IPV6_V6ONLY */, value: 1 });
    const address = socketAddress(family, bytes, port);
    checked(callBind(socket, address, address.length), 'bind', { path: `${ip}:${port}` });
    return socket;
  } catch (error) {
    closeSync(socket);
    throw error;
  }
}

/** listen(2): from now on the kernel takes connections, as many as `backlog`, which wait for whoever accepts them. A second call changes `backlog`. Throws EADDRINUSE. */
export function listenOn(socket: number, backlog: number): void {
  checked(callListen(socket, backlog), 'listen');
}

/** A second descriptor of the same open file or socket, close-on-exec: fcntl(2), F_DUPFD_CLOEXEC. */
export function duplicate(descriptor: number): number {
  return checked(callFcntl(descriptor, 1030, 3), 'fcntl');
}

/** socket(2) in a network namespace, close-on-exec and, unless `blocking`, non-blocking. Numbers as in the kernel's headers. */
export function socketIn(
  netns: Netns,
  {
    domain,
    type,
    protocol = 0,
    blocking = false,
  }: { readonly domain: number; readonly type: number; readonly protocol?: number; readonly blocking?: boolean },
): number {
  const flags = 0o2000000 | (blocking ? 0 : 0o4000);
  return withNetns(netns, () => checked(callSocket(domain, type | flags, protocol), 'socket'));
}

/** setsockopt(2) with a number. */
export function setSocketOption(
  socket: number,
  { level, name, value }: { readonly level: number; readonly name: number; readonly value: number },
): void {
  checked(callSetsockopt(socket, level, name, new Int32Array([value]), 4), 'setsockopt');
}

/** Who was at the other end of a unix socket when it was connected: SO_PEERCRED of unix(7). The pid is 0 for a process of a pid namespace that we cannot see. */
export function peerCredentials(socket: number): { readonly pid: number; readonly uid: number; readonly gid: number } {
  const [pid = 0, uid = 0, gid = 0] = new Uint32Array(socketOption(socket, 17 /* SO_PEERCRED */, 12).buffer);
  return { pid, uid, gid };
}

/** SO_DOMAIN of socket(7): 1 is unix, 2 IPv4, 10 IPv6. Throws ENOTSOCK. */
export function socketDomain(socket: number): number {
  return socketOption(socket, 39, 4)[0] ?? 0;
}

/** Keeps a descriptor that somebody handed to us from the programs that we start: FD_CLOEXEC of fcntl(2). */
export function closeOnExec(descriptor: number): void {
  checked(callFcntl(descriptor, 2 /* F_SETFD */, 1), 'fcntl');
}

function socketOption(socket: number, name: number, sizeBytes: number): Int32Array {
  const value = new Int32Array(sizeBytes / 4);
  checked(callGetsockopt(socket, 1 /* SOL_SOCKET */, name, value, new Uint32Array([sizeBytes])), 'getsockopt');
  return value;
}

function socketAddress(family: 2 | 10, bytes: Buffer, port: number): Buffer {
  const address = Buffer.alloc(family === 2 ? 16 : 28);
  address.writeUInt16LE(family);
  address.writeUInt16BE(port, 2);
  bytes.copy(address, family === 2 ? 4 : 8);
  return address;
}

const callSocket = declare<(domain: number, type: number, protocol: number) => number>('socket', 'int', ['int', 'int', 'int']);
const callFcntl = declare<(descriptor: number, command: number, lowest: number) => number>('fcntl', 'int', ['int', 'int', 'int']);
const callBind = declare<(socket: number, address: Uint8Array, sizeBytes: number) => number>('bind', 'int', ['int', 'void *', 'uint']);
const callListen = declare<(socket: number, backlog: number) => number>('listen', 'int', ['int', 'int']);
const callSetsockopt = declare<(socket: number, level: number, name: number, value: Int32Array, sizeBytes: number) => number>(
  'setsockopt',
  'int',
  ['int', 'int', 'int', 'void *', 'uint'],
);
const callGetsockopt = declare<(socket: number, level: number, name: number, value: Int32Array, sizeBytes: Uint32Array) => number>(
  'getsockopt',
  'int',
  ['int', 'int', 'int', 'void *', 'void *'],
);
