import { createHash } from 'node:crypto';
import { codeOf, conflict, type Ctx, deadlineExceeded, type StateStore, unavailable } from '@gantry/sdk';
import {
  checkLogOptions,
  compareLogTime,
  type ContainerInfo,
  type Entry,
  isSharedLogOption,
  LinePieces,
  type LogDriver,
  logAttributes,
  type ReadRequest,
  type ReadResponse,
  type WriteRequest,
  type WriteResponse,
} from '@gantry/sdk/log';
import { decodeEntries, encodeEntry } from '@gantry/sdk/legacy/wire';
import { flagOf, objectOf } from './answer.ts';
import { abortable, type Connection } from './connection.ts';
import { LogFifo } from './log-fifo.ts';
import { loggerInfo, readConfig } from './log-info.ts';

interface Tools {
  readonly state: StateStore;
  /** Where pipes are made, as the plugin sees it. */
  readonly folder: string;
}
type Open = Extract<WriteRequest, { kind: 'open' }>;
type Batch = Extract<WriteRequest, { kind: 'batch' }>;

const capabilitiesMs = 2_000;
const stopMs = 5_000;

/** `LogDriver.*` of a Docker plugin, which has `read` when the plugin says so. */
export async function makeLogDriver(plugin: Connection, tools: Tools): Promise<LogDriver> {
  return (await canRead(plugin)) ? new ReadableDockerLogDriver(plugin, tools) : new DockerLogDriver(plugin, tools);
}

/** Older plugins lack the method; the wire says `Cap`, some documents say that it is left out. */
async function canRead(plugin: Connection): Promise<boolean> {
  try {
    const answer = await plugin.call('LogDriver.Capabilities', {}, AbortSignal.timeout(capabilitiesMs));
    return flagOf(objectOf(answer, 'Cap'), 'ReadLogs') || flagOf(answer, 'ReadLogs');
  } catch (error) {
    if (codeOf(error) === 'not_implemented') return false;
    throw error;
  }
}

/** A batch counts as stored when the plugin has read it: one that reads slowly, or not at all, is late with its acks and blocks nobody. */
class DockerLogDriver implements LogDriver {
  readonly plugin: Connection;
  readonly #tools: Tools;

  constructor(plugin: Connection, tools: Tools) {
    this.plugin = plugin;
    this.#tools = tools;
  }

  /** What all drivers share is checked; of their own options Docker's plugins cannot be asked. */
  async validate({ options }: Parameters<LogDriver['validate']>[0]): Promise<void> {
    const shared = Object.entries(options).filter(([name]) => isSharedLogOption(name));
    checkLogOptions(this.plugin.name, Object.fromEntries(shared), {});
  }

  async *write(requests: AsyncIterable<WriteRequest>, { signal }: Ctx): AsyncGenerator<WriteResponse> {
    const source = requests[Symbol.asyncIterator]();
    let next = await source.next();
    if (next.done === true) return;
    if (next.value.kind !== 'open') throw conflict(`${next.value.kind} before open`);
    const open = next.value;
    let acked = await this.#acked(open);
    await using stream = await this.#start(open, signal);
    if (acked > 0) yield { ackedSeq: acked };
    let coming = source.next();
    try {
      while ((next = await abortable(coming, signal)).done !== true && next.value.kind === 'batch') {
        const batch = next.value;
        coming = source.next();
        await stream.deliver(fresh(batch, acked), coming);
        acked = Math.max(acked, batch.firstSeq + batch.entries.length - 1);
        await this.#putAcked(open, acked);
        yield { ackedSeq: acked };
      }
    } finally {
      // Not waited for: it may be in the middle of waiting for output itself.
      void source.return?.().catch(() => {});
    }
  }

  async purge({ container }: { readonly container: ContainerInfo }): Promise<void> {
    await this.#tools.state.put([{ key: this.#key(container), value: undefined }]);
  }

  async #start({ container, options }: Open, signal: AbortSignal): Promise<Stream> {
    const { identity } = this.plugin;
    const fifo = LogFifo.make(this.#tools.folder, this.plugin.scopes, this.plugin.name);
    const stream = new Stream(this.plugin, { fifo, identity, signal });
    try {
      await this.plugin.call('LogDriver.StartLogging', { File: fifo.path, Info: loggerInfo(container, options) }, signal);
      return stream;
    } catch (error) {
      await stream[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #acked({ container, streamId }: Open): Promise<number> {
    const entry = await this.#tools.state.get(this.#key(container));
    const kept = entry === undefined ? undefined : (JSON.parse(entry.value) as { readonly streamId: string; readonly seq: number });
    return kept?.streamId === streamId ? kept.seq : 0;
  }

  async #putAcked({ container, streamId }: Open, seq: number): Promise<void> {
    await this.#tools.state.put([{ key: this.#key(container), value: JSON.stringify({ streamId, seq }) }], { relaxed: true });
  }

  #key({ id }: ContainerInfo): string {
    return `log/${createHash('sha256').update(this.plugin.name).digest('hex').slice(0, 32)}/${id}`;
  }
}

class ReadableDockerLogDriver extends DockerLogDriver {
  async *read(request: ReadRequest, { signal }: Ctx): AsyncGenerator<ReadResponse> {
    yield { entries: [], attributes: logAttributes(request.container, request.options) };
    const body = { Info: loggerInfo(request.container, request.options), Config: readConfig(request) };
    const response = await this.plugin.stream('LogDriver.ReadLogs', body, signal);
    try {
      for await (const decoded of decodeEntries(response as AsyncIterable<Buffer>)) {
        const entries = decoded.filter((entry) => isWanted(entry, request));
        if (entries.length > 0) yield { entries };
      }
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      response.destroy();
    }
  }
}

/** What one `StartLogging` began; disposing of it stops. */
class Stream implements AsyncDisposable {
  readonly #plugin: Connection;
  readonly #fifo: LogFifo;
  readonly #identity: string | undefined;
  readonly #signal: AbortSignal;
  readonly #pieces = new LinePieces();

  constructor(
    plugin: Connection,
    { fifo, identity, signal }: { readonly fifo: LogFifo; readonly identity: string | undefined; readonly signal: AbortSignal },
  ) {
    this.#plugin = plugin;
    this.#fifo = fifo;
    this.#identity = identity;
    this.#signal = signal;
  }

  /** Resolves when the plugin has read them. A `close` that comes meanwhile says how long that may still take. */
  async deliver(entries: readonly Entry[], coming: Promise<IteratorResult<WriteRequest>>): Promise<void> {
    let deadline = Number.POSITIVE_INFINITY;
    coming.then(
      ({ value, done }) => {
        if (done === true) deadline = performance.now();
        else if (value.kind === 'close') deadline = performance.now() + value.flushDeadlineMs;
      },
      () => (deadline = 0),
    );
    const bytes = Buffer.concat(entries.map((entry) => encodeEntry(entry, this.#pieces.next(entry))));
    await this.#fifo.deliver(bytes, () => {
      this.#signal.throwIfAborted();
      if (this.#plugin.identity !== this.#identity) throw unavailable(`log plugin ${this.#plugin.name} ended`);
      if (performance.now() > deadline) throw deadlineExceeded(`log plugin ${this.#plugin.name} did not read all of it in time`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#plugin.identity === this.#identity) {
        await this.#plugin.call('LogDriver.StopLogging', { File: this.#fifo.path }, AbortSignal.timeout(stopMs));
      }
    } catch {
      // The end of the pipe tells a plugin that cannot be told.
    } finally {
      this.#fifo[Symbol.dispose]();
    }
  }
}

/** What the plugin has not got yet: the engine sends again from its last ack. */
function fresh({ firstSeq, entries }: Batch, acked: number): readonly Entry[] {
  return entries.slice(Math.max(0, acked - firstSeq + 1));
}

/** Plugins keep to the times and the tail, mostly. */
function isWanted({ source, time }: Entry, { stdout, stderr, since, until }: ReadRequest): boolean {
  return (
    (source === 'stdout' ? stdout : stderr) &&
    (since === undefined || compareLogTime(time, since) >= 0) &&
    (until === undefined || compareLogTime(time, until) <= 0)
  );
}
