/** The thread in which trees are read and written. Its root folder is its own, and is the tree it works on while it does. */
import { parentPort } from 'node:worker_threads';
import { codeOf, fromErrno, GantryError, internal, invalidArgument, messageOf } from '@gantry/sdk';
import { setFileOwner, umask, unshare } from '@gantry/sdk/linux';
import { TarError } from '../tar/index.ts';
import { Channel } from './channel.ts';
import { handlers } from './handlers.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import { leave } from './root.ts';

const port = parentPort;
if (port === null) throw new Error('this file is the main file of a worker thread');

const ourselves = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

unshare('fs');
umask(0);
let current: Channel | undefined;

port.on('message', (message: ToWorker) => {
  // What was on its way when a job ended is for nobody.
  if (message.kind === 'input') return current?.id === message.id ? current.receive(message.chunk) : undefined;
  const channel = new Channel(port, message);
  current = channel;
  void work(channel, message);
});

async function work(channel: Channel, { name, job }: Extract<ToWorker, { readonly kind: 'job' }>): Promise<void> {
  let answer: FromWorker;
  try {
    const handler = (handlers as Readonly<Record<string, (job: never, channel: Channel) => unknown>>)[name];
    if (handler === undefined) throw internal(`no such job: ${name}`);
    answer = { kind: 'done', result: await handler(job as never, channel) };
  } catch (error) {
    answer = failure(error);
  } finally {
    if ('rules' in job && job.rules.idMaps !== undefined) setFileOwner(ourselves);
    leave();
    current = undefined;
  }
  port?.postMessage(answer);
}

function failure(thrown: unknown): FromWorker {
  const error = thrown instanceof TarError ? invalidArgument(thrown.message) : thrown;
  if (GantryError.is(error)) {
    const { code, message, hint, reason } = error;
    return { kind: 'failed', code, message, facts: { hint, reason } };
  }
  const isErrno = error instanceof Error && 'code' in error && typeof error.code === 'string';
  const wrapped = isErrno ? fromErrno(error, 'layer') : error;
  return {
    kind: 'failed',
    code: codeOf(wrapped),
    message: messageOf(wrapped),
    facts: {},
    ...(isErrno ? { errno: String(error.code) } : {}),
  };
}
