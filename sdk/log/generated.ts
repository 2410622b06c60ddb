// Made by `npm run generate` of proto/gantry/log/v1: change it there.
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

export type WriteRequest = ({ readonly kind: 'open' } & Open) | ({ readonly kind: 'batch' } & Batch) | ({ readonly kind: 'close' } & Close);

export interface Open {
  readonly streamId: string;
  readonly container: ContainerInfo;
  readonly options: Readonly<Record<string, string>>;
}

/** At most 256 KiB or 1,000 entries. */
export interface Batch {
  readonly firstSeq: number;
  readonly entries: readonly Entry[];
  readonly droppedBefore: number;
}

export interface Close {
  readonly flushDeadlineMs: number;
}

export interface WriteResponse {
  readonly ackedSeq: number;
  /** For so long, at most 30 s, nothing more is to be sent; what was sent counts as before. */
  readonly retryAfterMs?: number;
  /** What is wrong, for the engine's log, which has one a minute and how many there were. */
  readonly warning?: string;
}

export interface ValidateRequest {
  readonly options: Readonly<Record<string, string>>;
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

export interface ContainerRequest {
  readonly container: ContainerInfo;
}

export interface PathResponse {
  readonly path: string;
}

export interface LogDriver {
  /** Checks the options of a container before it is created; names the unknown or malformed one with `invalid_argument`. */
  validate(request: ValidateRequest, ctx: Ctx): Promise<void>;
  /** One stream per container and driver; the engine resumes from the last ack after any break (at least once). */
  write(requests: AsyncIterable<WriteRequest>, ctx: Ctx): AsyncIterable<WriteResponse>;
  read?(request: ReadRequest, ctx: Ctx): AsyncIterable<ReadResponse>;
  /** The file shown as LogPath, for drivers that have one. */
  path?(request: ContainerRequest, ctx: Ctx): Promise<PathResponse>;
  purge?(request: ContainerRequest, ctx: Ctx): Promise<void>;
}

export const logMethods = {
  validate: { deadline: 'fast' },
  write: { deadline: 'stream', answer: 'stream' },
  read: { deadline: 'stream', answer: 'stream', feature: 'read' },
  path: { deadline: 'fast', feature: 'path' },
  purge: { deadline: 'normal', feature: 'purge' },
} as const satisfies ContractMethods<LogDriver>;
