import { existsSync } from 'node:fs';
import { GantryError, unavailable } from '@gantry/sdk';
import { type DatagramSink, LogConnection, UdpSink, UnixDatagramSink } from '@gantry/sdk/log/sinks';
import { counted, ended } from './message.ts';
import type { Settings } from './options.ts';

/** Sends messages to a receiver. */
export interface Sender extends AsyncDisposable {
  send(messages: readonly Buffer[], signal: AbortSignal): Promise<void>;
}

/** Connects when there is something to send. */
export function senderFor({ address, tls, format }: Settings): Sender {
  if (address === undefined) return new LocalSender();
  if (address.path !== undefined)
    return address.scheme === 'unix' ? new StreamSender(new LogConnection({ address }), ended) : new UnixDatagramSink(address);
  if (address.scheme === 'udp') return new UdpSink(address);
  // RFC 5425 counts; everything else that is sent as a stream ends its messages with a newline, as Docker does.
  const frame = tls !== undefined && format.startsWith('rfc5424') ? counted : ended;
  return new StreamSender(new LogConnection({ address, tls }), frame);
}

class StreamSender implements Sender {
  readonly #connection: LogConnection;
  readonly #frame: (message: Buffer) => Buffer;

  constructor(connection: LogConnection, frame: (message: Buffer) => Buffer) {
    this.#connection = connection;
    this.#frame = frame;
  }

  send(messages: readonly Buffer[], signal: AbortSignal): Promise<void> {
    return this.#connection.send(Buffer.concat(messages.map(this.#frame)), signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#connection[Symbol.asyncDispose]();
  }
}

const localSockets = ['/dev/log', '/var/run/syslog', '/var/run/log'];

/** The machine's own syslog: a socket of datagrams, or, where it is one, of a stream. */
class LocalSender implements Sender {
  #sink: DatagramSink | StreamSender | undefined;

  async send(messages: readonly Buffer[], signal: AbortSignal): Promise<void> {
    if (this.#sink !== undefined) return this.#sink.send(messages, signal);
    const path = localSockets.find((socket) => existsSync(socket));
    if (path === undefined)
      throw unavailable(`no syslog on this machine: none of ${localSockets.join(', ')} is there`, { hint: 'give syslog-address' });
    try {
      await (this.#sink = new UnixDatagramSink({ path })).send(messages, signal);
    } catch (error) {
      this.#sink = undefined;
      if (!isStream(error)) throw error;
      await (this.#sink = new StreamSender(new LogConnection({ address: { scheme: 'unix', path } }), ended)).send(messages, signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink?.[Symbol.asyncDispose]();
  }
}

function isStream(error: unknown): boolean {
  const cause = GantryError.is(error) ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'EPROTOTYPE';
}
