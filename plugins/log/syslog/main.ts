import { hostname } from 'node:os';
import { log } from '@gantry/sdk/author';
import { messageOf, type MessageFacts } from './message.ts';
import { options, settingsOf } from './options.ts';
import { type Sender, senderFor } from './sender.ts';

interface Opened {
  readonly sender: Sender;
  readonly facts: MessageFacts;
}

export default log({
  name: 'syslog',
  options,
  check: (given) => void settingsOf(given),
  open({ options: given, tag }): Opened {
    const settings = settingsOf(given);
    const { facility, format } = settings;
    return { sender: senderFor(settings), facts: { format, facility, hostname: hostname(), tag, pid: process.pid } };
  },
  async write({ entries }, { signal }, { sender, facts }) {
    const messages = entries.filter(({ line }) => line.length > 0).map((entry) => messageOf(facts, entry));
    if (messages.length > 0) await sender.send(messages, signal);
  },
  async close(_, { sender }) {
    await sender[Symbol.asyncDispose]();
  },
});
