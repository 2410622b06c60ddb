/** Further processes in running containers. */
import type { Abortable } from '../types/index.ts';
import type { Attached } from './containers.ts';
export interface ExecConfig {
  readonly cmd: readonly string[];
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly privileged?: boolean;
  readonly tty?: boolean;
  readonly attachStdin?: boolean;
  readonly attachStdout?: boolean;
  readonly attachStderr?: boolean;
  readonly detachKeys?: string;
  /** Of its terminal, unless the start says another. */
  readonly size?: { readonly rows: number; readonly columns: number };
}
export interface ExecInfo {
  readonly id: string;
  readonly containerId: string;
  readonly config: ExecConfig;
  readonly running: boolean;
  readonly exitCode: number | null;
  readonly pid: number;
  readonly canRemove: boolean;
}
export interface Execs {
  create(container: string, config: ExecConfig): Promise<{ readonly id: string }>;
  /** `attached`: absent when `detach`. Fails with `conflict` on a second start. */
  start(
    exec: string,
    options: {
      readonly detach: boolean;
      readonly tty?: boolean;
      readonly size?: { readonly rows: number; readonly columns: number };
      /**
       * Of an attached one: called once, when nothing about the request can be refused any more and the command does not run yet. A front end
       * sends its answer's head then: some clients lose output that comes together with it.
       */
      readonly onAccepted?: () => void;
    } & Abortable,
  ): Promise<{ readonly attached?: Attached }>;
  resize(exec: string, size: { readonly rows: number; readonly columns: number }): Promise<void>;
  inspect(exec: string): ExecInfo;
}
