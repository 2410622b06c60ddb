import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { untilAborted } from '../../author/keyed-queue.ts';
import { messageOf, unavailable } from '../../errors.ts';
import { UnixDatagramSocket } from '../../linux/index.ts';

/** Sends entries as datagrams. One call at a time. */
export interface DatagramSink extends AsyncDisposable {
  /** Resolves when the kernel has them all and none was refused. Rejects with `unavailable`, or with the signal's reason; which of them arrived is then not known. */
  send(datagrams: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
}

/** A receiver's buffer holds some hundred small datagrams, and drops the rest without a word: so many at once, then a pause that lets it read. */
const atOnce = 50;
const pauseMs = 1;
/** In which a host without a receiver says so (ICMP, port unreachable). One that is far away or silent is never noticed: that is what UDP is. */
const settleMs = 15;

/** Datagrams to a port of a host. */
export class UdpSink implements DatagramSink {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #refused: Error | undefined;

  constructor({ host, port }: { readonly host: string; readonly port: number }) {
    this.#host = host;
    this.#port = port;
  }

  async send(datagrams: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    try {
      this.#refused = undefined;
      const socket = (this.#socket ??= await this.#open(signal));
      await paced(datagrams, signal, (datagram) => sent(socket, datagram));
      await sleep(settleMs, undefined, { signal });
      // Set by an event meanwhile.
      const refused = this.#refused as Error | undefined;
      if (refused !== undefined) throw refused;
    } catch (error) {
      this.#close();
      signal.throwIfAborted();
      throw unavailable(`udp://${this.#host}:${this.#port}: ${messageOf(error)}`, { cause: error, reason: 'RECEIVER_AWAY' });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  async #open(signal: AbortSignal): Promise<Socket> {
    const { address, family } = await untilAborted(lookup(this.#host), signal);
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    socket.on('error', (error) => (this.#refused = error));
    try {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      socket.once('error', reject);
      socket.connect(this.#port, address, () => resolve());
      await untilAborted(promise, signal);
      return socket.off('error', reject).unref();
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  #close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** Datagrams to a unix socket, such as /dev/log. Waits while the receiver's queue is full, so nothing is lost that it lives to read. */
export class UnixDatagramSink implements DatagramSink {
  readonly #path: string;
  #socket: UnixDatagramSocket | undefined;

  constructor({ path }: { readonly path: string }) {
    this.#path = path;
  }

  async send(datagrams: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    try {
      const socket = (this.#socket ??= new UnixDatagramSocket(this.#path));
      for (const datagram of datagrams) await socket.send(datagram, { signal });
    } catch (error) {
      this.#close();
      signal.throwIfAborted();
      throw unavailable(`unixgram://${this.#path}: ${messageOf(error)}`, { cause: error, reason: 'RECEIVER_AWAY' });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  #close(): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
  }
}

async function paced(datagrams: readonly Uint8Array[], signal: AbortSignal, send: (datagram: Uint8Array) => Promise<void>): Promise<void> {
  for (const [index, datagram] of datagrams.entries()) {
    if (index > 0 && index % atOnce === 0) await sleep(pauseMs, undefined, { signal });
    await send(datagram);
  }
}

function sent(socket: Socket, datagram: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => socket.send(datagram, (error) => (error === null ? resolve() : reject(error))));
}
