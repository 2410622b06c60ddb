import { log } from '@gantry/sdk/author';
import { LogConnection, retrying } from '@gantry/sdk/log/sinks';
import { acknowledges, type Forwarded, Forwarder } from './message.ts';
import { options, type Settings, settingsOf } from './options.ts';

export default log({
  name: 'fluentd',
  options,
  check: (given) => void settingsOf(given),
  open({ options: given, tag, container, extra }) {
    const settings = settingsOf(given);
    return { settings, forwarder: new Forwarder(tag, container, extra), receiver: new Receiver(settings) };
  },
  async write({ entries }, { signal }, { settings, forwarder, receiver }) {
    const forwarded = forwarder.forward(entries, settings);
    const { maxRetries, retryWaitMs: firstMs } = settings;
    await retrying(() => receiver.send(forwarded, signal), { tries: maxRetries + 1, firstMs, lastMs: longestPauseMs, factor: 1.5, signal });
  },
  async close(_, { receiver }) {
    await receiver[Symbol.asyncDispose]();
  },
});

const longestPauseMs = 60_000;

class Receiver implements AsyncDisposable {
  readonly #settings: Settings;
  #connection: LogConnection | undefined;
  #sinceMs = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async send({ bytes, chunk }: Forwarded, signal: AbortSignal): Promise<void> {
    const connection = await this.#fresh();
    if (chunk === undefined) await connection.send(bytes, signal);
    else await connection.ask(bytes, (answer) => acknowledges(answer, chunk), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection?.[Symbol.asyncDispose]();
  }

  async #fresh(): Promise<LogConnection> {
    const { address, reconnectMs = Number.POSITIVE_INFINITY } = this.#settings;
    const now = performance.now();
    if (this.#connection !== undefined && now - this.#sinceMs < reconnectMs) return this.#connection;
    await this.#connection?.[Symbol.asyncDispose]();
    this.#sinceMs = now;
    return (this.#connection = new LogConnection({ address, tls: address.scheme === 'tls' ? { rejectUnauthorized: true } : undefined }));
  }
}
