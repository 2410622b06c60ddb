import { closeSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { deadlineExceeded } from '../../errors.ts';
import { memfdCreate } from '../files/open.ts';
import type { ExitStatus } from './process.ts';
import { posixSpawn } from './spawn.ts';
import { pipe, readSome, scratch } from '../sockets/stream-calls.ts';
import { waitForExit } from './wait.ts';
import { Watch } from '../sockets/watch.ts';

export interface RunOptions {
  readonly file: string;
  /** All arguments, the program's own name first; `[file]` by default. */
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** All that it may read; nothing by default. */
  readonly stdin?: string | Uint8Array;
  /** Further descriptors for the child: 3, 4, … */
  readonly descriptors?: readonly number[];
  /** How much of stdout, and as much of stderr, is kept; 1 MiB by default. The rest is read and dropped. */
  readonly outputLimitBytes?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface RunResult extends ExitStatus {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** Whether some output was dropped. */
  readonly truncated: boolean;
}

/**
 * Runs a short program in a session of its own and answers how it ended and what it wrote; a non-zero exit is an answer, not an error.
 * It is over when the program has ended, even if processes it left behind still hold its output. On a deadline (`deadline_exceeded`) or an abort (the signal's reason)
 * the whole session is killed and reaped first. Throws the errno when the program cannot be started.
 */
export async function run(options: RunOptions): Promise<RunResult> {
  const { timeoutMs, signal, outputLimitBytes = 1 << 20 } = options;
  signal?.throwIfAborted();
  using stdout = new Capture(outputLimitBytes);
  using stderr = new Capture(outputLimitBytes);
  const pid = start(options, stdout.writer, stderr.writer);
  stdout.begin();
  stderr.begin();
  const status = await ended(pid, { file: options.file, timeoutMs, signal });
  return {
    ...status,
    stdout: stdout.finish(),
    stderr: stderr.finish(),
    truncated: stdout.isTruncated || stderr.isTruncated,
  };
}

function start({ file, argv = [file], env, cwd, stdin, descriptors = [] }: RunOptions, stdout: number, stderr: number): number {
  const input = stdin === undefined ? null : inputFile(stdin);
  try {
    const stdio = [input, stdout, stderr, ...descriptors];
    return posixSpawn({ file, argv, stdio, setsid: true, ...(env ? { env } : {}), ...(cwd === undefined ? {} : { cwd }) });
  } finally {
    if (input !== null) closeSync(input);
  }
}

/** A file in memory needs no writing along while the program reads. */
function inputFile(stdin: string | Uint8Array): number {
  const bytes = typeof stdin === 'string' ? Buffer.from(stdin) : stdin;
  const file = memfdCreate('stdin');
  // Written by position, so the child starts reading at 0.
  for (let written = 0; written < bytes.byteLength; ) written += writeSync(file, bytes, written, bytes.byteLength - written, written);
  return file;
}

async function ended(
  pid: number,
  { file, timeoutMs, signal }: { readonly file: string; readonly timeoutMs: number | undefined; readonly signal: AbortSignal | undefined },
): Promise<ExitStatus> {
  const deadline = new AbortController();
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => deadline.abort(deadlineExceeded(`${file} did not end within ${timeoutMs} ms`)), timeoutMs);
  try {
    const stop = signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]);
    return (await waitForExit(pid, { signal: stop })) ?? unknownStatus;
  } catch (error) {
    await killSession(pid);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The leader is not reaped yet, so its number still names our child's session. One that cannot die (a hung disk) is reaped whenever it does. */
async function killSession(pid: number): Promise<void> {
  process.kill(-pid, 'SIGKILL');
  const reaped = waitForExit(pid, { keepAlive: false }).catch(() => undefined);
  const patience = new AbortController();
  await Promise.race([reaped, sleep(2000, undefined, { signal: patience.signal }).catch(() => undefined)]);
  patience.abort();
}

const unknownStatus: ExitStatus = { exitCode: undefined, signal: undefined };

/** One output: a pipe whose reading end we keep. */
class Capture implements Disposable {
  readonly #limitBytes: number;
  readonly #chunks: Buffer[] = [];
  readonly #ends = pipe();
  #keptBytes = 0;
  #writerIsOpen = true;
  #watch: Watch | undefined;
  isTruncated = false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get writer(): number {
    return this.#ends.writer;
  }

  /** The child has its copy of the writing end: ours would keep the end from coming. */
  begin(): void {
    closeSync(this.#ends.writer);
    this.#writerIsOpen = false;
    this.#watch = new Watch(this.#ends.reader, () => this.#drain());
  }

  finish(): Buffer {
    this.#drain();
    return Buffer.concat(this.#chunks);
  }

  #drain(): void {
    // 64 rounds are 4 MiB: a program that writes without end must not hold the event loop.
    for (let round = 0; round < 64; round++) {
      const length = readSome(this.#ends.reader, scratch());
      if (length === 'again') return;
      if (length === 0) return this.#watch?.want({});
      const kept = Math.min(length, this.#limitBytes - this.#keptBytes);
      this.isTruncated ||= kept < length;
      this.#keptBytes += kept;
      if (kept > 0) this.#chunks.push(Buffer.from(scratch().subarray(0, kept)));
    }
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]();
    closeSync(this.#ends.reader);
    if (this.#writerIsOpen) closeSync(this.#ends.writer);
  }
}
