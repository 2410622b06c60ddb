import { conflict } from '@gantry/sdk';
import type { Attached, AttachOptions, LogLine, OutputChunk } from '@gantry/sdk/engine';
import { isErrno } from '@gantry/sdk/linux';
import type { Entry } from '../entry.ts';
import { readLogs } from '../look/logs.ts';
import { loggedContainer } from '../logged.ts';
import type { Room } from '../room.ts';
import { waitForStart } from './pending.ts';
import { ClientStream, openAccepted } from './streams.ts';

/** Connects to the container's input and output; of one that does not run, when it is started. `logs` gives first what was written before. */
export async function attach(room: Room, entry: Entry, options: AttachOptions): Promise<Attached> {
  const { run, document } = entry;
  const began = Date.now();
  if (entry.isPaused) throw conflict(`container ${entry.id} is paused, unpause the container before attach`);
  const streamOptions = { ...options, tty: document.config.Tty === true };
  const socket = connection(entry, options);
  const stream = new ClientStream(socket, streamOptions);
  if (run !== undefined) await socket;
  room.announce(entry, 'attach');
  if (options.logs !== true) return stream;
  const output =
    run !== undefined && options.stream ? whole(room, entry, stream, options) : earlier(room, entry, stream, { ...options, began });
  return withOutput(stream, output);
}

function connection(entry: Entry, { stream, signal }: AttachOptions): ReturnType<typeof waitForStart> {
  const path = entry.run?.streams.attachSocket;
  if (!stream) return Promise.resolve(undefined);
  return path === undefined ? waitForStart(entry, signal) : openAccepted(path, signal).catch(whereEnded);
}

/** Its monitor is gone, which the engine is about to learn: all that is left of the run is its log. */
function whereEnded(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT', 'ECONNREFUSED')) throw error;
}

/** Of a running container: its log, and what follows it, of the same file. The connection is for its input, and its end. */
function whole(room: Room, entry: Entry, stream: ClientStream, { stdout, stderr, signal }: AttachOptions): AsyncIterable<OutputChunk> {
  // At once: whoever does not read here must not hold up the process there.
  const ended = drain(stream);
  const container = loggedContainer(room, entry, entry.run?.streams.control);
  return chunks(room.parts.logs.output(container, { stdout, stderr, signal, ended }));
}

async function* chunks(lines: AsyncIterable<readonly LogLine[]>): AsyncGenerator<OutputChunk> {
  for await (const batch of lines) for (const { source, data } of batch) yield { source, data };
}

/** What was written until now; then, of a container that is started later, all of its output. */
async function* earlier(
  room: Room,
  entry: Entry,
  stream: ClientStream,
  { stdout, stderr, signal, began }: AttachOptions & { readonly began: number },
): AsyncGenerator<OutputChunk> {
  const until = { seconds: Math.floor(began / 1e3), nanos: (began % 1e3) * 1e6 };
  const { lines } = await readLogs(room, entry, { stdout, stderr, signal, until });
  yield* chunks(lines);
  yield* stream.output;
}

async function drain({ output }: ClientStream): Promise<void> {
  try {
    for await (const _chunk of output);
  } catch {
    // The connection broke: then it is over, too.
  }
}

function withOutput(stream: ClientStream, output: AsyncIterable<OutputChunk>): Attached {
  return {
    tty: stream.tty,
    output,
    write: (data) => stream.write(data),
    end: () => stream.end(),
    [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
  };
}
