import { closeSync, fstatSync } from 'node:fs';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { fromErrno } from '../errors.ts';
import { capabilityNames, type ExitStatus, pipe, waitForExit } from '../linux/index.ts';
import type { HelperRun, HelperRunner, HelperStart } from '../mounts/index.ts';
import type { Logger } from '../types/index.ts';
import type { HelperJob } from './helper-worker.ts';
import { besideUs } from './own-programs.ts';

/** One helper, and what was heard of it. */
interface Entry {
  readonly target: string;
  readonly program: string;
  readonly lastLines: string[];
  /** Until it was started, undefined. */
  pid: number | undefined;
  ended: Promise<void>;
  broken: string | undefined;
}

/** What a helper may still write when its mount is gone. */
const graceMs = 5_000;
const keptLines = 10;

/**
 * Helpers of mounts, as children of this process: in a plugin's container they end with it, and the next process of the plugin mounts anew. They have none of the
 * plugin's rights, and see of its folder what was described.
 */
export class Helpers implements HelperRunner {
  readonly #entries = new Set<Entry>();
  readonly #hidden: string;
  readonly #log: Logger;

  constructor({ root, log }: { readonly root: string; readonly log: Logger }) {
    this.#hidden = root;
    this.#log = log;
  }

  begin({ target, program }: Parameters<HelperRunner['begin']>[0]): HelperRun {
    const entry: Entry = { target, program, lastLines: [], pid: undefined, ended: Promise.resolve(), broken: undefined };
    this.#entries.add(entry);
    return { start: (start) => this.#start(entry, start), causeOfEnd: () => entry.broken };
  }

  /** Why the mount at this path, or one below it, is broken; undefined: it is not, or has no helper of this process. */
  brokenAt(target: string): string | undefined {
    return this.#below(target).find(({ broken }) => broken !== undefined)?.broken;
  }

  async end(target: string, { waitMs = graceMs }: { readonly waitMs?: number } = {}): Promise<void> {
    await Promise.all(this.#below(target).map((entry) => this.#end(entry, waitMs)));
  }

  #below(target: string): readonly Entry[] {
    return [...this.#entries].filter((entry) => entry.target === target || entry.target.startsWith(`${target}/`));
  }

  async #start(entry: Entry, { helper, device, places, signal }: HelperStart): Promise<void> {
    signal.throwIfAborted();
    const output = pipe();
    try {
      const job: HelperJob = {
        argv: helper.argv,
        env: helper.env,
        files: helper.files,
        places: places.map(({ path, tree }) => ({ path, tree, isFolder: fstatSync(tree).isDirectory() })),
        stdio: [output.writer, output.writer, device],
        capabilities: helper.capabilities.map((name) => capabilityNames.indexOf(name)),
        hidden: this.#hidden,
      };
      entry.pid = await spawned(job, helper.program);
    } catch (error) {
      closeSync(output.reader);
      throw error;
    } finally {
      closeSync(output.writer);
    }
    createInterface(new Socket({ fd: output.reader, readable: true, writable: false })).on('line', (line) => this.#say(entry, line));
    entry.ended = this.#watch(entry, entry.pid);
  }

  #say({ lastLines, target, program }: Entry, line: string): void {
    lastLines.push(line);
    if (lastLines.length > keptLines) lastLines.shift();
    this.#log.info({ target }, `helper ${program}: ${line}`);
  }

  async #watch(entry: Entry, pid: number): Promise<void> {
    const status = await waitForExit(pid, { keepAlive: false }).catch(() => undefined);
    killSession(pid);
    // What it printed last may be read after its end.
    await sleep(50);
    entry.broken = causeOf(entry, status);
    if (this.#entries.has(entry)) this.#log.warn({ target: entry.target }, entry.broken);
  }

  async #end(entry: Entry, waitMs: number): Promise<void> {
    this.#entries.delete(entry);
    const { pid, ended, broken } = entry;
    if (pid === undefined || broken !== undefined) return;
    const patience = new AbortController();
    await Promise.race([ended, sleep(waitMs, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    if (entry.broken === undefined) killSession(pid);
    await ended;
  }
}

async function spawned(job: HelperJob, program: string): Promise<number> {
  const worker = new Worker(besideUs('helper-worker'), { workerData: job, execArgv: [] });
  try {
    const [pid] = (await once(worker, 'message')) as [number];
    return pid;
  } catch (error) {
    throw fromErrno(error, `start helper ${program}`);
  } finally {
    await worker.terminate();
  }
}

/** With what it started; nothing of it left: nothing to do. */
function killSession(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The last of them has ended.
  }
}

function causeOf({ program, lastLines }: Entry, status: ExitStatus | undefined): string {
  const { exitCode, signal } = status ?? {};
  const how = signal !== undefined ? `was ended by ${signal}` : exitCode === undefined ? 'ended' : `exited with code ${exitCode}`;
  const said = lastLines.slice(-3).join('; ');
  return `its helper ${program} ${how}${said === '' ? '' : `; it printed: ${said}`}`;
}
