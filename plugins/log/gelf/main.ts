import { hostname } from 'node:os';
import type { Logger } from '@gantry/sdk';
import { log } from '@gantry/sdk/author';
import { LogConnection, retrying, UdpSink } from '@gantry/sdk/log/sinks';
import { commonFields, compressed, datagramsOf, messageOf } from './message.ts';
import { options, type Settings, settingsOf } from './options.ts';

export default log({
  name: 'gelf',
  options,
  check: (given) => void settingsOf(given),
  open({ options: given, container, tag, extra }) {
    const settings = settingsOf(given);
    const host = hostname();
    return { host, common: commonFields({ hostname: host, container, tag, extra }), sender: senderFor(settings) };
  },
  async write({ entries }, { signal, log: logger }, { host, common, sender }) {
    // Receivers refuse messages that say nothing.
    const messages = entries.filter(({ line }) => line.length > 0).map((entry) => messageOf(entry, host, common));
    if (messages.length > 0) await sender.send(messages, { signal, log: logger });
  },
  async close(_, { sender }) {
    await sender[Symbol.asyncDispose]();
  },
});

interface Sender extends AsyncDisposable {
  send(messages: readonly Buffer[], tools: { readonly signal: AbortSignal; readonly log: Logger }): Promise<void>;
}

function senderFor(settings: Settings): Sender {
  return settings.address.scheme === 'udp' ? datagrams(settings) : stream(settings);
}

function datagrams(settings: Settings): Sender {
  const sink = new UdpSink(settings.address);
  return {
    async send(messages, { signal, log: logger }) {
      const all = await Promise.all(messages.map(async (message) => datagramsOf(await compressed(message, settings))));
      const lost = all.filter((parts) => parts === undefined).length;
      if (lost > 0)
        logger.warn(
          { lost },
          'log entries do not fit into 128 datagrams, which is what GELF allows: shorten the labels and variables that go with them',
        );
      await sink.send(
        all.flatMap((parts) => parts ?? []),
        signal,
      );
    },
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  };
}

/** Messages end with a NUL there, and are never compressed. */
function stream({ address, maxReconnect, reconnectDelayMs }: Settings): Sender {
  const connection = new LogConnection({ address });
  const pauses = { tries: maxReconnect + 1, firstMs: reconnectDelayMs, lastMs: reconnectDelayMs };
  return {
    async send(messages, { signal }) {
      const bytes = Buffer.concat(messages.flatMap((message) => [message, Buffer.from([0])]));
      await retrying(() => connection.send(bytes, signal), { ...pauses, signal });
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}
