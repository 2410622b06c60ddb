/** What the life cycle asks of this room. */
import type { Abortable } from '@gantry/sdk';
import type { LogLine, LogQuery, LogStream } from '@gantry/sdk/engine';
import type { ContainerInfo } from '@gantry/sdk/log';

export interface LoggedContainer {
  readonly info: ContainerInfo;
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  readonly tty: boolean;
  /** The monitor's control pipe (Streams.control): the engine asks it to start a new spool file there. Without it a long spool is never cut. */
  readonly control?: string;
}
export interface OutputQuery extends Abortable {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** The container's program has ended, or its reader left; never rejects. */
  readonly ended: Promise<void>;
}
export interface ContainerLogs {
  /** Driver exists and takes these options. */
  validate(driver: string, options: Readonly<Record<string, string>>): Promise<void>;
  /** Where the monitor of this container writes: a folder for `ctr.log`, and its limit. */
  spool(containerId: string): { readonly dir: string; readonly maxBytes: number };
  /** Starts pumping spool → driver from the last ack; twice is fine. Called at start and at adoption. */
  start(container: LoggedContainer): void;
  /**
   * After the process ended: drains what is left within a bound, then lets go (a slow driver gets the rest in the background).
   * A query after the end waits for the drain itself, so an exit may be announced before this resolves.
   */
  stop(containerId: string): Promise<void>;
  query(container: LoggedContainer, query: LogQuery, running: () => boolean): Promise<LogStream>;
  /**
   * Everything that a running container wrote and writes, once and in order, pieces of lines as they come, until `ended`: what its driver has of before
   * the spool begins, then the spool. Abort throws its reason.
   */
  output(container: LoggedContainer, query: OutputQuery): AsyncIterable<readonly LogLine[]>;
  /** Ids of containers with output that may not be delivered yet: those that ended while nobody watched get `start` and `stop` once more. */
  undelivered(): readonly string[];
  /** The file shown as LogPath; "" when the driver has none. Never changes: ask once, at create. */
  path(container: LoggedContainer): Promise<string>;
  /** Deletes spool, cursor and what the driver keeps. Twice is fine. */
  purge(container: LoggedContainer): Promise<void>;
}
