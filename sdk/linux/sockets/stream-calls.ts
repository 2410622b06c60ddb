import { constants } from 'node:os';
import { declare, errno, type Pointer } from '../calls.ts';
import { checked, errnoError } from '../errno.ts';

/** Non-blocking reads and writes that answer `again` instead of throwing: an error with its stack costs ten times the call. */

/** read(2) at the current position: the bytes read, 0 at the end. */
export function readSome(descriptor: number, into: Uint8Array): number | 'again' {
  return someOrAgain(callRead(descriptor, into, into.byteLength), 'read');
}

/** recv(2): the whole packet's length, which is more than fits when it was cut. 0 at the end. */
export function receiveSome(socket: number, into: Uint8Array): number | 'again' {
  return someOrAgain(callRecv(socket, into, into.byteLength, 0x20 /* MSG_TRUNC */), 'recv');
}

/** send(2) without SIGPIPE: the bytes sent. */
export function sendSome(socket: number, bytes: Uint8Array): number | 'again' {
  return someOrAgain(callSend(socket, bytes, bytes.byteLength, 0x4000 /* MSG_NOSIGNAL */), 'send');
}

/** pipe2(2), close-on-exec. */
export function pipe(): { readonly reader: number; readonly writer: number } {
  const ends = new Int32Array(2);
  checked(callPipe2(ends, 0o2000000), 'pipe2');
  return { reader: ends[0] ?? -1, writer: ends[1] ?? -1 };
}

/** How many bytes of a pipe or socket wait to be read: FIONREAD of ioctl(2). */
export function unreadBytes(descriptor: number): number {
  const count = new Int32Array(1);
  checked(callIoctl(descriptor, 0x541b, count), 'ioctl FIONREAD');
  return count[0] ?? 0;
}

/** Room for one read or packet, shared since none of them waits: a packet is bounded by its sender's socket buffer, 208 KiB unless somebody raised it. */
export function scratch(): Buffer {
  scratchBuffer ??= Buffer.allocUnsafeSlow(1 << 18);
  return scratchBuffer;
}
let scratchBuffer: Buffer | undefined;

function someOrAgain(result: number, syscall: string): number | 'again' {
  if (result >= 0) return result;
  const number = errno();
  if (number === constants.errno.EAGAIN || number === constants.errno.EINTR) return 'again';
  throw errnoError(syscall, { errno: number });
}

const callRead = declare<(descriptor: number, into: Uint8Array, sizeBytes: number) => number>('read', 'long', ['int', 'void *', 'size_t']);
const callRecv = declare<(socket: number, into: Uint8Array, sizeBytes: number, flags: number) => number>('recv', 'long', [
  'int',
  'void *',
  'size_t',
  'int',
]);
const callSend = declare<(socket: number, bytes: Pointer, sizeBytes: number, flags: number) => number>('send', 'long', [
  'int',
  'void *',
  'size_t',
  'int',
]);
const callIoctl = declare<(descriptor: number, request: number, value: Int32Array) => number>('ioctl', 'int', ['int', 'ulong', 'void *']);
const callPipe2 = declare<(ends: Int32Array, flags: number) => number>('pipe2', 'int', ['void *', 'int']);
