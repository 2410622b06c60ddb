import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { declare, declareAside, errno } from '../calls.ts';
import { errnoError, type SystemCallError } from '../errno.ts';
import { align, attributeText, readAttributes, type NetlinkRequest } from './netlink-message.ts';
import type { Netns } from './netns.ts';
import { setSocketOption, socketIn } from '../sockets/sockets.ts';

/** A netlink socket (NETLINK_ROUTE unless told otherwise) of one network namespace. The kernel answers while it is asked, so calls are synchronous; five seconds without an answer are an error. */
export class NetlinkSocket implements Disposable {
  readonly #socket: number;
  #sequence = 1;

  constructor(netns: Netns, protocol = 0) {
    this.#socket = socketIn(netns, { domain: 16, type: 3, protocol, blocking: true });
    for (const name of [10 /* CAP_ACK */, 11 /* EXT_ACK */, 12 /* GET_STRICT_CHK */]) this.#tryOption(name);
    callSetsockopt(this.#socket, 1, 20 /* SO_RCVTIMEO */, new BigInt64Array([5n, 0n]), 16);
  }

  /**
   * Sends all requests, many in one system call, and answers each one's error or undefined. The kernel goes on after a failed one; everything sent together is done even
   * if we are killed meanwhile.
   */
  tryAll(requests: readonly NetlinkRequest[]): readonly (SystemCallError | undefined)[] {
    const results: (SystemCallError | undefined)[] = [];
    // More acknowledgements than this could overflow the socket's receive buffer (208 KiB, at most 768 bytes each).
    for (let start = 0; start < requests.length; start += 64) results.push(...this.#sendTogether(requests.slice(start, start + 64)));
    return results;
  }

  /** Like `tryAll`, but throws the first error, after all were tried. */
  all(requests: readonly NetlinkRequest[]): void {
    const failed = this.tryAll(requests).find((error) => error !== undefined);
    if (failed) throw failed;
  }

  /** A transaction of nfnetlink's subsystem: all of the requests take effect, or none, and then the first error is thrown. */
  batch(subsystem: number, requests: readonly NetlinkRequest[]): void {
    if (requests.length === 0) return;
    const edge = (type: number): NetlinkRequest => ({
      type,
      body: Buffer.of(0, 0, subsystem >> 8, subsystem & 0xff),
      doing: 'nfnetlink batch',
    });
    const asked = requests.map((request) => ({ ...request, flags: (request.flags ?? 0) | 0x4 /* ACK */ }));
    const first = this.#send([edge(0x10), ...asked, edge(0x11)], 0x1 /* REQUEST */);
    const failed = this.#results(asked, first + 1).find((error) => error !== undefined);
    if (failed) throw failed;
  }

  /** Like `all` with one request, while this thread goes on: for what makes the kernel wait. Nothing else may use this socket until it has answered. */
  async aside(request: NetlinkRequest): Promise<void> {
    const { bytes } = this.#message([request], 0x1 | 0x4 /* REQUEST, ACK */);
    if ((await callSendAside(this.#socket, bytes, bytes.length, 0)) < 0)
      throw errnoError('netlink send', { errno: constants.errno.EIO, detail: request.doing });
    const error = this.#results([request], this.#sequence - 1)[0];
    if (error) throw error;
  }

  /** Asks for one object: the answer's body, or undefined when the kernel says that there is none (ENODEV, ENOENT, ESRCH). */
  get(request: NetlinkRequest): Buffer | undefined {
    const sequence = this.#send([{ ...request, flags: 0 }]);
    let found: Buffer | undefined;
    for (;;) {
      for (const answer of this.#receive()) {
        if (answer.sequence !== sequence) continue;
        if (answer.type !== errorType) {
          found = Buffer.from(answer.body);
          continue;
        }
        const error = errorOf(answer, request);
        if (error && !['ENODEV', 'ENOENT', 'ESRCH'].includes(error.code)) throw error;
        return error ? undefined : found;
      }
    }
  }

  /** Asks for all objects of a kind. Asks again when something changed meanwhile, so the list is one that was true at one time. */
  list(request: NetlinkRequest): readonly Buffer[] {
    for (let attempt = 1; ; attempt++) {
      const { bodies, wasInterrupted } = this.#dump(request);
      if (!wasInterrupted || attempt === 16) return bodies;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#socket);
  }

  #dump(request: NetlinkRequest): { readonly bodies: readonly Buffer[]; readonly wasInterrupted: boolean } {
    const sequence = this.#send([{ ...request, flags: 0x300 /* DUMP */ }], 0x1);
    const bodies: Buffer[] = [];
    let wasInterrupted = false;
    for (;;) {
      for (const answer of this.#receive()) {
        if (answer.sequence !== sequence) continue;
        wasInterrupted ||= (answer.flags & 0x10) !== 0;
        if (answer.type === doneType) return { bodies, wasInterrupted };
        if (answer.type === errorType) throw errorOf(answer, request) ?? errnoError(request.doing, { errno: constants.errno.EPROTO });
        bodies.push(Buffer.from(answer.body));
      }
    }
  }

  #sendTogether(requests: readonly NetlinkRequest[]): readonly (SystemCallError | undefined)[] {
    return this.#results(requests, this.#send(requests));
  }

  #results(requests: readonly NetlinkRequest[], first: number): readonly (SystemCallError | undefined)[] {
    const results: (SystemCallError | undefined)[] = [];
    for (let waiting = requests.length; waiting > 0; ) {
      for (const answer of this.#receive()) {
        const position = answer.sequence - first;
        const request = requests[position];
        if (answer.type !== errorType || request === undefined) continue;
        results[position] = errorOf(answer, request);
        waiting--;
      }
    }
    return results;
  }

  /** Answers the first one's sequence number. */
  #send(requests: readonly NetlinkRequest[], baseFlags = 0x1 | 0x4 /* REQUEST, ACK */): number {
    const { first, bytes } = this.#message(requests, baseFlags);
    if (callSend(this.#socket, bytes, bytes.length, 0) < 0) throw errnoError('netlink send', { detail: requests[0]?.doing });
    return first;
  }

  #message(requests: readonly NetlinkRequest[], baseFlags: number): { readonly first: number; readonly bytes: Buffer } {
    const first = this.#sequence;
    const bytes = Buffer.alloc(requests.reduce((sum, { body }) => sum + headerBytes + align(body.length), 0));
    let at = 0;
    for (const { type, flags = 0, body } of requests) {
      bytes.writeUInt32LE(headerBytes + body.length, at);
      bytes.writeUInt16LE(type, at + 4);
      bytes.writeUInt16LE(baseFlags | flags, at + 6);
      bytes.writeUInt32LE(this.#sequence++, at + 8);
      body.copy(bytes, at + headerBytes);
      at += headerBytes + align(body.length);
    }
    return { first, bytes };
  }

  *#receive(): Generator<Answer> {
    receiveBuffer ??= Buffer.allocUnsafeSlow(1 << 17);
    let length = callRecv(this.#socket, receiveBuffer, receiveBuffer.length, 0);
    while (length < 0 && errno() === constants.errno.EINTR) length = callRecv(this.#socket, receiveBuffer, receiveBuffer.length, 0);
    if (length < 0) throw errnoError('netlink recv', errno() === constants.errno.EAGAIN ? { errno: constants.errno.ETIMEDOUT } : {});
    for (let at = 0; at + headerBytes <= length; ) {
      const size = receiveBuffer.readUInt32LE(at);
      if (size < headerBytes || at + size > length) throw errnoError('netlink recv', { errno: constants.errno.EPROTO });
      yield {
        type: receiveBuffer.readUInt16LE(at + 4),
        flags: receiveBuffer.readUInt16LE(at + 6),
        sequence: receiveBuffer.readUInt32LE(at + 8),
        body: receiveBuffer.subarray(at + headerBytes, at + size),
      };
      at += align(size);
    }
  }

  /** Older kernels lack some; all only make errors better. */
  #tryOption(name: number): void {
    try {
      setSocketOption(this.#socket, { level: 270, name, value: 1 });
    } catch {
      return;
    }
  }
}

interface Answer {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
}

const headerBytes = 16;
const errorType = 2;
const doneType = 3;

/** NLMSG_ERROR carries the errno, the request's header (all of it unless capped), and then the kernel's own words. */
function errorOf({ flags, body }: Answer, { doing }: NetlinkRequest): SystemCallError | undefined {
  const number = -body.readInt32LE(0);
  if (number === 0) return undefined;
  const words = (flags & 0x200) === 0 ? undefined : attributeText(readAttributes(body, wordsOffset(flags, body)).get(1));
  return errnoError(doing, { errno: number, detail: words });
}

function wordsOffset(flags: number, body: Buffer): number {
  const isCapped = (flags & 0x100) !== 0;
  return 4 + (isCapped ? headerBytes : align(body.readUInt32LE(4)));
}

/** Shared, since every call reads all its answers before it returns. */
let receiveBuffer: Buffer | undefined;

const callSend = declare<(socket: number, bytes: Uint8Array, sizeBytes: number, flags: number) => number>('send', 'long', [
  'int',
  'void *',
  'size_t',
  'int',
]);
const callSendAside = declareAside<readonly [socket: number, bytes: Uint8Array, sizeBytes: number, flags: number], number>('send', 'long', [
  'int',
  'void *',
  'size_t',
  'int',
]);
const callRecv = declare<(socket: number, into: Uint8Array, sizeBytes: number, flags: number) => number>('recv', 'long', [
  'int',
  'void *',
  'size_t',
  'int',
]);
const callSetsockopt = declare<(socket: number, level: number, name: number, value: BigInt64Array, sizeBytes: number) => number>(
  'setsockopt',
  'int',
  ['int', 'int', 'int', 'void *', 'uint'],
);
