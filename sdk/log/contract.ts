/**
 * The log contract: where a container's output goes.
 *
 * Vocabulary
 * - *spool*: the bounded files into which the container's monitor writes, in CRI format; the engine's. A driver can never block a container.
 * - *batch*: consecutive entries with the sequence number of the first; numbers count entries per stream, starting at 1, without gaps.
 * - *ack*: the highest sequence number that the driver has stored for good. The engine trims and resumes behind it (at least once).
 * - *stream*: one container and one driver, named by `streamId`, kept over engine restarts.
 *
 * Scenarios
 * - Start: the engine opens `write` with an `open` message, then sends batches; the driver yields acks as it stores them. A driver that
 *   knows what it stored for this `streamId` may answer `open` with that ack. A new `streamId` counts from 1 again.
 * - Break: the engine opens again and resends from the last ack; a driver may see an entry twice and drops what it has.
 * - Stop: a `close` message; the driver flushes within the deadline and ends its answer.
 * - `docker logs`: `read` when the driver has it, else the engine reads the spool. The first answer comes at once, empty when there is
 *   nothing yet, and carries the attributes. With `follow` it ends when the container's stream got its `close` and everything was
 *   delivered, or when `until` has passed; without an open stream at the end of what is stored.
 * - Remove: `purge` deletes what the driver keeps for the container; the second call does nothing.
 */
import type { ContractMethods, Ctx } from '../types/index.ts';

export interface ContainerInfo {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly created: Date;
  /** A folder for this container's log files, made by the engine, mode 0700. */
  readonly dir: string;
}
/** Seconds and nanoseconds, since a JS number cannot hold nanoseconds since 1970. */
export interface LogTime {
  readonly seconds: number;
  readonly nanos: number;
}
export interface Entry {
  readonly time: LogTime;
  readonly source: 'stdout' | 'stderr';
  /** Without the newline; at most 16 KiB, a longer line comes as several entries of which all but the last are `partial`. */
  readonly line: Buffer;
  readonly partial: boolean;
}
export type WriteRequest =
  | {
      readonly kind: 'open';
      readonly streamId: string;
      readonly container: ContainerInfo;
      readonly options: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'batch'; readonly firstSeq: number; readonly entries: readonly Entry[]; readonly droppedBefore: number }
  | { readonly kind: 'close'; readonly flushDeadlineMs: number };
export interface WriteResponse {
  readonly ackedSeq: number;
  readonly retryAfterMs?: number;
  readonly warning?: string;
}
export interface ReadRequest {
  readonly container: ContainerInfo;
  readonly options: Readonly<Record<string, string>>;
  readonly since?: LogTime;
  readonly until?: LogTime;
  /** The last N entries; absent means all. */
  readonly tail?: number;
  readonly follow: boolean;
  /** Which sources to deliver; `tail` counts both. */
  readonly stdout: boolean;
  readonly stderr: boolean;
}
export interface ReadResponse {
  readonly entries: readonly Entry[];
  /** Attributes from the options labels, env and tag; the same for every entry of a container. */
  readonly attributes?: Readonly<Record<string, string>>;
}

export interface LogDriver {
  /** Checks the options of a container before it is created; names the unknown or malformed one with `invalid_argument`. */
  validate(request: { readonly options: Readonly<Record<string, string>> }, ctx: Ctx): Promise<void>;
  write(requests: AsyncIterable<WriteRequest>, ctx: Ctx): AsyncIterable<WriteResponse>;
  read?(request: ReadRequest, ctx: Ctx): AsyncIterable<ReadResponse>;
  /** The file shown as LogPath, for drivers that have one. */
  path?(request: { readonly container: ContainerInfo }, ctx: Ctx): Promise<{ readonly path: string }>;
  purge?(request: { readonly container: ContainerInfo }, ctx: Ctx): Promise<void>;
}

export const logMethods = {
  validate: { deadline: 'fast' },
  write: { deadline: 'stream', answer: 'stream' },
  read: { deadline: 'stream', answer: 'stream', feature: 'read' },
  path: { deadline: 'fast', feature: 'path' },
  purge: { deadline: 'normal', feature: 'purge' },
} as const satisfies ContractMethods<LogDriver>;
