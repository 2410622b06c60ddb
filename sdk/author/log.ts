import { conflict, GantryError, messageOf, unavailable } from '../errors.ts';
import { logAttributes, logTag } from '../log/attributes.ts';
import type { ContainerInfo, Entry, LogDriver, LogTime, ReadRequest, ReadResponse, WriteRequest, WriteResponse } from '../log/contract.ts';
import { checkLogOptions } from '../log/options.ts';
import { formatLogTime } from '../log/time.ts';
import { definePlugin, type PluginModule } from '../plugin.ts';
import { readOptions } from './check.ts';
import { untilAborted } from './keyed-queue.ts';
import { type About, featuresOf, manifestOf } from './manifest.ts';
import { type ObjectSchema, objectSchema, type NoProperties, type Properties, type PropertiesOf } from './schema.ts';
import { Toolbox, type Tools } from './tools.ts';

type Awaitable<T> = T | Promise<T>;

/** One line, or the part of a long one. */
export interface AuthoredEntry {
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly at: LogTime;
  readonly source: 'stdout' | 'stderr';
  readonly line: Buffer;
  readonly text: string;
  readonly partial: boolean;
}
export interface AuthoredBatch {
  readonly firstSeq: number;
  readonly entries: readonly AuthoredEntry[];
  /** Lines that the spool had to drop before these. */
  readonly droppedBefore: number;
}
/** One container's output on its way to one sink. */
export interface LogStream<O, S> extends Tools<S> {
  readonly streamId: string;
  readonly options: O;
  readonly container: ContainerInfo;
  /** The option tag, filled; the container's short id when it is not given, as Docker has it. */
  readonly tag: string;
  /** From the options labels, env and tag. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The same without the tag, for formats where that has a place of its own. */
  readonly extra: Readonly<Record<string, string>>;
}

export interface LogAuthor<O extends Properties, S extends Properties, Opened = void> extends About<O, S> {
  /** What the schema cannot say of the options. Throws `invalid_argument`, before a container is created with them. */
  check?(options: PropertiesOf<O>): Awaitable<void>;
  /** Stores the batch for good. Throwing keeps it in the engine's spool, which tries again; the container never notices. */
  write(batch: AuthoredBatch, stream: LogStream<PropertiesOf<O>, PropertiesOf<S>>, opened: Opened): Awaitable<void>;
  /** What it answers, a connection for instance, is this stream's: `write` and `close` get it. */
  open?(stream: LogStream<PropertiesOf<O>, PropertiesOf<S>>): Awaitable<Opened>;
  /** After the last batch, and also when the stream broke; not when `open` failed. */
  close?(stream: LogStream<PropertiesOf<O>, PropertiesOf<S>>, opened: Opened): Awaitable<void>;
  /** Without it `docker logs` reads the engine's spool. */
  readonly read?: (request: ReadRequest, tools: Tools<PropertiesOf<S>>) => AsyncIterable<ReadResponse>;
  readonly purge?: (request: { readonly container: ContainerInfo }, tools: Tools<PropertiesOf<S>>) => Awaitable<void>;
}

/** A plugin with one log driver. The SDK checks options, decodes entries, acknowledges, and leaves out what a broken stream sends twice. */
export function log<const O extends Properties = NoProperties, const S extends Properties = NoProperties, Opened = void>(
  author: LogAuthor<O, S, Opened>,
): PluginModule {
  const features = featuresOf(author, ['read', 'purge']);
  return definePlugin({
    manifest: manifestOf('log', author, features),
    async activate(host) {
      const toolbox = new Toolbox(host, author.settings);
      return {
        drivers: { log: { [author.name]: authoredDriver(author, toolbox) } },
        configure: async (config, secrets) => toolbox.configure(config, secrets),
        selfTest: async () => [toolbox.check()],
      };
    },
  });
}

function authoredDriver<O extends Properties, S extends Properties, Opened>(
  author: LogAuthor<O, S, Opened>,
  toolbox: Toolbox<S>,
): LogDriver {
  const schema = objectSchema(author.options);
  const stored = new Map<string, number>();
  const { read, purge } = author;
  return {
    async validate({ options }) {
      const given = ownOptions(author.name, schema, options) as PropertiesOf<O>;
      await author.check?.(given);
    },
    async *write(requests: AsyncIterable<WriteRequest>, ctx): AsyncGenerator<WriteResponse> {
      let stream: LogStream<PropertiesOf<O>, PropertiesOf<S>> | undefined;
      let opened: { readonly it: Opened } | undefined;
      let acked = 0;
      try {
        for await (const request of requests) {
          if (request.kind === 'close') {
            if (stream !== undefined) stored.delete(stream.streamId);
            return;
          }
          if (request.kind === 'open') {
            const { streamId, container } = request;
            const options = ownOptions(author.name, schema, request.options) as PropertiesOf<O>;
            const attributes = logAttributes(container, request.options);
            const extra = logAttributes(container, { ...request.options, tag: '' });
            // The tools last: one of them is a getter, which a spread would call.
            const tag = logTag(container, request.options['tag'] || '{{.ID}}', request.options);
            stream = Object.assign(toolbox.for(ctx), { streamId, container, options, tag, attributes, extra });
            acked = stored.get(streamId) ?? 0;
            // Without `open` there is nothing to give, which is what the type of `Opened` then says.
            opened = { it: (await author.open?.(stream)) as Opened };
            if (acked > 0) yield { ackedSeq: acked };
            continue;
          }
          if (stream === undefined || opened === undefined)
            throw conflict('log stream got a batch before open', { reason: 'STREAM_NOT_OPEN' });
          const last = request.firstSeq + request.entries.length - 1;
          const fresh = request.entries.slice(Math.max(0, acked + 1 - request.firstSeq));
          if (fresh.length > 0) {
            const batch = { firstSeq: last - fresh.length + 1, entries: fresh.map(authoredEntry), droppedBefore: request.droppedBefore };
            await untilAborted(written(author, batch, stream, opened.it), ctx.signal);
          }
          acked = Math.max(acked, last);
          stored.set(stream.streamId, acked);
          yield { ackedSeq: acked };
        }
      } finally {
        if (stream !== undefined && opened !== undefined) await author.close?.(stream, opened.it);
      }
    },
    ...(read && { read: (request, ctx) => read(request, toolbox.for(ctx)) }),
    ...(purge && { purge: async (request, ctx) => purge(request, toolbox.for(ctx)) }),
  };
}

/** A sink that cannot be reached is no bug of the driver: whatever it throws means later. */
async function written<O extends Properties, S extends Properties, Opened>(
  author: LogAuthor<O, S, Opened>,
  batch: AuthoredBatch,
  stream: LogStream<PropertiesOf<O>, PropertiesOf<S>>,
  opened: Opened,
): Promise<void> {
  try {
    await author.write(batch, stream, opened);
  } catch (error) {
    if (GantryError.is(error) || stream.signal.aborted) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw unavailable(`log driver ${author.name}: ${messageOf(error)}: ${messageOf(cause)}`, { cause: error, reason: 'WRITE_FAILED' });
  }
}

/** Options that every log driver takes are checked in their own way, the author's by the schema. */
function ownOptions(name: string, schema: ObjectSchema, options: Readonly<Record<string, string>>): Record<string, unknown> {
  const anything = Object.fromEntries(Object.keys(schema.properties).map((option) => [option, () => {}]));
  checkLogOptions(name, options, anything);
  const own = Object.fromEntries(Object.entries(options).filter(([option]) => option in schema.properties));
  return readOptions(schema, own, `log driver ${name}`);
}

function authoredEntry({ time, source, line, partial }: Entry): AuthoredEntry {
  return { time: formatLogTime(time), at: time, source, line, text: line.toString(), partial };
}
