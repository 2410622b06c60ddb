import { closeSync, readFileSync, writeSync } from 'node:fs';
import { unavailable } from '@gantry/sdk';
import { memfdCreate, pipe, posixSpawn, waitForExit } from '@gantry/sdk/linux';
import { Reports } from './reports.ts';

export interface MonitorOptions {
  readonly conmon: string;
  readonly arguments: readonly string[];
  /** Wait before the process is made until `release`: for execs that somebody attaches to. */
  readonly attach: boolean;
}

/**
 * A conmon just started, in a session of its own, without our environment and with only the descriptors it needs. It goes on when we end.
 * Dispose closes our ends of its pipes once its answers are no longer wanted; the monitor stays.
 */
export class Monitor implements Disposable {
  readonly pid: number;
  /** Resolves when it has ended and is reaped. */
  readonly ended: Promise<void>;
  readonly sync: Reports;
  readonly attach: Reports | undefined;
  readonly #startWriter: number | undefined;
  readonly #stderr: number;
  #isDisposed = false;
  #isReaped = false;

  constructor({ conmon, arguments: given, attach }: MonitorOptions) {
    const sync = pipe();
    const start = attach ? pipe() : undefined;
    const attached = attach ? pipe() : undefined;
    this.#stderr = memfdCreate('conmon');
    this.#startWriter = start?.writer;
    this.sync = new Reports(sync.reader);
    this.attach = attached && new Reports(attached.reader);
    try {
      this.pid = posixSpawn({
        file: conmon,
        argv: [conmon, ...given],
        env: {
          PATH: searchPath,
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
    this.ended = waitForExit(this.pid, { keepAlive: false }).then(() => {
      this.#isReaped = true;
    });
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
    if (!this.#isReaped) process.kill(this.pid, 'SIGKILL');
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

export const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
