import { conflict } from '@gantry/sdk';
import type { Attached, AttachOptions, OutputChunk } from '@gantry/sdk/engine';
import type { Entry } from '../entry.ts';
import { readLogs } from '../look/logs.ts';
import type { Room } from '../room.ts';
import { waitForStart } from './pending.ts';
import { ClientStream, openStream } from './streams.ts';

/** Connects to the container's input and output; of one that does not run, when it is started. `logs` gives first what was written before. */
export async function attach(room: Room, entry: Entry, options: AttachOptions): Promise<Attached> {
  const { run, document } = entry;
  if (entry.isPaused) throw conflict(`container ${entry.id} is paused, unpause the container before attach`);
  const streamOptions = { ...options, tty: document.config.Tty === true };
  const socket = connection(entry, options);
  const stream = new ClientStream(socket, streamOptions);
  if (run !== undefined) await socket;
  room.announce(entry, 'attach');
  return options.logs === true ? withLogs(room, entry, stream, options) : stream;
}

function connection(entry: Entry, { stream, signal }: AttachOptions): ReturnType<typeof waitForStart> {
  const path = entry.run?.streams.attachSocket;
  if (!stream) return Promise.resolve(undefined);
  return path === undefined ? waitForStart(entry, signal) : openStream(path, signal);
}

function withLogs(room: Room, entry: Entry, stream: ClientStream, { stdout, stderr, signal }: AttachOptions): Attached {
  async function* output(): AsyncGenerator<OutputChunk> {
    const { lines } = await readLogs(room, entry, { stdout, stderr, signal });
    for await (const batch of lines) for (const { source, data } of batch) yield { source, data };
    yield* stream.output;
  }
  return {
    tty: stream.tty,
    output: output(),
    write: (data) => stream.write(data),
    end: () => stream.end(),
    [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
  };
}
