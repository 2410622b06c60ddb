import { closeSync, readFileSync, writeSync } from 'node:fs';
import { unavailable } from '@gantry/sdk';
import { isErrno, memfdCreate, pipe, posixSpawn, waitForExit } from '@gantry/sdk/linux';
import { type ProcessRef, processRef, sendSignal } from './processes.ts';
import { Reports } from './reports.ts';

export interface MonitorOptions {
  readonly conmon: string;
  readonly arguments: readonly string[];
  /** Wait before the process is made until `release`: for execs that somebody attaches to. */
  readonly attach: boolean;
  /** The end of who waits for it. The monitor goes on. */
  readonly ending: AbortSignal;
  /**
   * With it the monitor forks away from what we started and leaves its pid here, where nothing may be yet. The fork has none of the pages
   * that only the beginning needs: 2 MB instead of 4, for as long as it lives.
   */
  readonly pidFile?: string;
}

/**
 * A conmon just started, in a session of its own, without our environment and with only the descriptors it needs. It goes on when we end.
 * Dispose closes our ends of its pipes once its answers are no longer wanted; the monitor stays.
 */
export class Monitor implements Disposable {
  /** Itself, once it is on its own; pid 0 when it ended before that. */
  readonly process: Promise<ProcessRef>;
  /** Resolves when it has ended and, should it be our child, is reaped; or when nobody waits for it any more. */
  readonly ended: Promise<void>;
  readonly sync: Reports;
  readonly attach: Reports | undefined;
  readonly #startWriter: number | undefined;
  readonly #stderr: number;
  #isDisposed = false;

  constructor({ conmon, arguments: given, attach, pidFile, ending }: MonitorOptions) {
    const sync = pipe();
    const start = attach ? pipe() : undefined;
    const attached = attach ? pipe() : undefined;
    this.#stderr = memfdCreate('conmon');
    this.#startWriter = start?.writer;
    this.sync = new Reports(sync.reader);
    this.attach = attached && new Reports(attached.reader);
    let child: number;
    try {
      child = posixSpawn({
        file: conmon,
        argv: [conmon, ...given, ...(pidFile === undefined ? ['--sync'] : ['--conmon-pidfile', pidFile])],
        env: {
          PATH: searchPath,
          // Before it forks rather than after: half a megabyte of symbol tables that the fork need not look at.
          LD_BIND_NOW: '1',
          _OCI_SYNCPIPE: '3',
          ...(attach ? { _OCI_STARTPIPE: '4', _OCI_ATTACHPIPE: '5' } : {}),
        },
        stdio: [null, null, this.#stderr, sync.writer, ...(start && attached ? [start.reader, attached.writer] : [])],
        cwd: '/',
        setsid: true,
      });
    } catch (error) {
      this[Symbol.dispose]();
      throw unavailable(`cannot start ${conmon}`, { cause: error });
    } finally {
      for (const end of [sync.writer, start?.reader, attached?.writer]) if (end !== undefined) closeSync(end);
    }
    this.process = pidFile === undefined ? Promise.resolve(processRef(child)) : forked(child, pidFile);
    this.ended = this.process.then((process) => untilEnded(process, ending));
  }

  /** Lets it pass its next stop: the first before anything, the second before the process is made. */
  release(): void {
    if (this.#startWriter !== undefined) writeSync(this.#startWriter, '0');
  }

  /** What it complained about before it had a container to complain for. */
  complaint(): string {
    return readFileSync(`/proc/self/fd/${this.#stderr}`, 'utf8').trim();
  }

  /** Kills it, and with it a runtime that it waits for; resolves when it is reaped. */
  async abandon(): Promise<void> {
    const keepAlive = setInterval(() => {}, 1_000);
    sendSignal(await this.process, 9);
    await this.ended;
    clearInterval(keepAlive);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.sync[Symbol.dispose]();
    this.attach?.[Symbol.dispose]();
    closeSync(this.#stderr);
    if (this.#startWriter !== undefined) closeSync(this.#startWriter);
  }
}

/** What we started ends when it has forked and written down whom. */
async function forked(child: number, pidFile: string): Promise<ProcessRef> {
  await waitForExit(child);
  try {
    return processRef(Number(readFileSync(pidFile, 'utf8')));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return { pid: 0, startTime: 0 };
    throw error;
  }
}

/** It is our child as well when orphans come to us, as they do to process 1. */
async function untilEnded({ pid }: ProcessRef, signal: AbortSignal): Promise<void> {
  try {
    if (pid > 0) await waitForExit(pid, { signal, keepAlive: false });
  } catch (error) {
    if (!signal.aborted && !isErrno(error, 'ESRCH')) throw error;
  }
}

export const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
