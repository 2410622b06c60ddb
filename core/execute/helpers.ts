import { closeSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, messageOf } from '@gantry/sdk';
import { isErrno, readMountinfo, umount2, unmountFlags } from '@gantry/sdk/linux';
import type { HelperRun, HelperRunner, HelperStart } from '@gantry/sdk/mounts';
import type { Grants } from '../drivers/types.ts';
import { adoptHelper, endHelper, FifoReader, type HelperProcess, type LaunchExit, openFifoWriter } from '../plugin-launch/index.ts';
import { failpoint, shortRandom } from '../support/index.ts';
import { startHelper } from './helper-start.ts';

export interface HelpersOptions {
  readonly execRoot: string;
  readonly cgroupParent?: string | undefined;
  readonly log: Logger;
}
/** What another engine has to know of a helper to find it. */
interface HelperRecord {
  /** The mount that it works for. */
  readonly target: string;
  readonly plugin: string;
  readonly program: string;
  /** Names its cgroup. */
  readonly instance: string;
  /** Absent while it is being started. */
  readonly pid?: number;
  readonly startTime?: number;
}
/** A mount whose helper has ended, or was never seen to run: whoever looks into it gets ENOTCONN. */
export interface BrokenMount {
  readonly target: string;
  readonly plugin: string;
  readonly reason: string;
}
/** The place of one helper that is being started, or runs. */
interface HelperPlace {
  readonly folder: string;
  readonly output: string;
  readonly record: HelperRecord;
}
interface Entry extends HelperPlace {
  record: HelperRecord;
  process: HelperProcess | undefined;
  reader: FifoReader | undefined;
  readonly lastLines: string[];
  ending: Promise<void> | undefined;
  broken: string | undefined;
}

/** What a helper may still write when its mount is gone. */
const graceMs = 5_000;
const keptLines = 10;

/**
 * The processes that work for FUSE mounts, by their mounts. Each is written down in the exec root before it starts, so that the engine that follows a dead one finds
 * it: one that runs is taken over, one that does not makes its mount a broken one. Disposing leaves all of them running.
 */
export class Helpers implements AsyncDisposable {
  readonly #cgroupParent: string | undefined;
  readonly #root: string;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(broken: BrokenMount) => void>();
  #isLeaving = false;

  constructor({ execRoot, cgroupParent, log }: HelpersOptions) {
    this.#root = join(execRoot, 'helpers');
    this.#cgroupParent = cgroupParent;
    this.#log = log;
    for (const id of foldersIn(this.#root)) this.#takeOver(id);
  }

  /** Tells of each mount that breaks from now on. Disposing the answer ends that. */
  onBroken(listener: (broken: BrokenMount) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Why the mount at this path, or one below it, is broken; undefined: it is not, or has no helper. */
  brokenAt(target: string): string | undefined {
    return this.#below(target).find(({ broken, ending }) => broken !== undefined && ending === undefined)?.broken;
  }

  /** Runs the helpers of one plugin's mounts, as whom and within what it was granted. */
  of(grants: Grants): HelperRunner {
    return {
      begin: (facts) => this.#run(this.#begin(facts), grants),
      end: (target, options) => this.end(target, options),
    };
  }

  #run(place: HelperPlace, { plugin, helpers: granted }: Grants): HelperRun {
    failpoint('helper.recorded');
    return {
      start: async (start: HelperStart) => {
        failpoint('helper.mounted');
        if (granted === undefined) return;
        using output = this.#outputOf(place);
        const { instance } = place.record;
        this.#runs(place, await startHelper(start, { plugin, instance, granted, cgroupParent: this.#cgroupParent, output }));
      },
      causeOfEnd: () => this.#entries.get(place.folder)?.broken,
    };
  }

  /** Writes down that a helper is about to be started. */
  #begin(facts: Pick<HelperRecord, 'target' | 'plugin' | 'program'>): HelperPlace {
    const id = shortRandom();
    const folder = join(this.#root, id);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const record = { ...facts, instance: instanceOf(id) };
    const entry = newEntry(folder, record);
    writeRecord(entry);
    this.#entries.set(folder, entry);
    return entry;
  }

  /** The end for the helper of a pipe that is read from now on; `say` puts a line in as if it had said it. */
  #outputOf({ folder, output }: HelperPlace): Disposable & { readonly descriptor: number; readonly say: (line: string) => void } {
    const descriptor = openFifoWriter(output);
    const entry = this.#entries.get(folder);
    if (entry !== undefined) this.#read(entry);
    return { descriptor, say: (line) => entry && this.#say(entry, line), [Symbol.dispose]: () => closeSync(descriptor) };
  }

  /** It runs: from now on its end is noticed. */
  #runs({ folder }: HelperPlace, process: HelperProcess): void {
    const entry = this.#entries.get(folder);
    if (entry === undefined) return;
    entry.process = process;
    entry.record = { ...entry.record, pid: process.pid, startTime: process.startTime };
    writeRecord(entry);
    this.#watch(entry, process);
  }

  /** Ends the helpers of the mounts at and below a path, which are not mounted any more: they end by themselves, and are killed when they take too long. */
  async end(target: string, { waitMs = graceMs }: { readonly waitMs?: number } = {}): Promise<void> {
    await Promise.all(this.#below(target).map((entry) => (entry.ending ??= this.#end(entry, waitMs))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isLeaving = true;
    for (const { process, reader } of this.#entries.values()) {
      reader?.[Symbol.dispose]();
      await process?.leave();
    }
    this.#entries.clear();
  }

  #below(target: string): readonly Entry[] {
    return [...this.#entries.values()].filter(({ record }) => record.target === target || record.target.startsWith(`${target}/`));
  }

  #takeOver(id: string): void {
    const folder = join(this.#root, id);
    const record = readRecord(folder);
    if (record === undefined) return this.#forget(folder, id);
    const entry = newEntry(folder, record);
    this.#entries.set(folder, entry);
    const { pid, startTime, instance, target } = record;
    const known = { instance, ...(this.#cgroupParent !== undefined && { cgroupParent: this.#cgroupParent }) };
    if (pid !== undefined && startTime !== undefined) entry.process = adoptHelper({ ...known, pid, startTime });
    const isUsed = pid !== undefined && isFuseMount(target);
    // Whoever wanted it did not learn that it is there.
    if (pid === undefined && isFuseMount(target)) umount2(target, unmountFlags.detach);
    if (!isUsed) {
      entry.ending = this.#end(entry, 0);
      return;
    }
    this.#read(entry);
    if (entry.process !== undefined) return this.#watch(entry, entry.process);
    entry.broken = `its helper ${record.program} ended while no engine ran`;
    endHelper(instance, this.#cgroupParent).catch((error: unknown) => this.#warn(entry, error));
  }

  /** What was to be started was not written down whole. */
  #forget(folder: string, id: string): void {
    rmSync(folder, { recursive: true, force: true });
    endHelper(instanceOf(id), this.#cgroupParent).catch((error: unknown) =>
      this.#log.warn({ error: messageOf(error) }, 'a helper could not be ended'),
    );
  }

  #read(entry: Entry): void {
    try {
      entry.reader ??= new FifoReader(entry.output, (line) => this.#say(entry, line));
    } catch (error) {
      this.#warn(entry, error);
    }
  }

  #say({ lastLines, record: { plugin, target, program } }: Entry, line: string): void {
    lastLines.push(line);
    if (lastLines.length > keptLines) lastLines.shift();
    this.#log.info({ plugin, target }, `helper ${program}: ${line}`);
  }

  #watch(entry: Entry, process: HelperProcess): void {
    void process.ended.then((exit) => {
      if (this.#isLeaving) return;
      entry.reader?.drain();
      entry.broken = causeOf(entry, exit);
      process.kill().catch((error: unknown) => this.#warn(entry, error));
      if (entry.ending !== undefined) return;
      const { target, plugin } = entry.record;
      this.#log.warn({ plugin, target }, entry.broken);
      for (const listener of this.#listeners) listener({ target, plugin, reason: entry.broken });
    });
  }

  async #end(entry: Entry, waitMs: number): Promise<void> {
    const { process, record, folder } = entry;
    try {
      if (process === undefined) await endHelper(record.instance, this.#cgroupParent);
      else {
        const patience = new AbortController();
        await Promise.race([process.ended, sleep(waitMs, undefined, { signal: patience.signal }).catch(() => undefined)]);
        patience.abort();
        await process.kill();
      }
    } catch (error) {
      this.#warn(entry, error);
    }
    entry.reader?.[Symbol.dispose]();
    this.#entries.delete(folder);
    rmSync(folder, { recursive: true, force: true });
  }

  #warn({ record: { plugin, target } }: Entry, error: unknown): void {
    this.#log.warn({ plugin, target, error: messageOf(error) }, 'a helper could not be ended or read');
  }
}

const instanceOf = (id: string): string => `helper-${id}`;

function newEntry(folder: string, record: HelperRecord): Entry {
  const nothing = { process: undefined, reader: undefined, ending: undefined, broken: undefined };
  return { folder, output: join(folder, 'output'), record, lastLines: [], ...nothing };
}

function causeOf({ record: { program }, lastLines }: Entry, { exitCode, signal, oomKilled }: LaunchExit): string {
  const how = oomKilled
    ? 'used more memory than it may'
    : signal !== undefined
      ? `was ended by ${signal}`
      : exitCode === undefined
        ? 'ended'
        : `exited with code ${exitCode}`;
  const said = lastLines.slice(-3).join('; ');
  return `its helper ${program} ${how}${said === '' ? '' : `; it printed: ${said}`}`;
}

function foldersIn(root: string): readonly string[] {
  try {
    return readdirSync(root);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Not through the mount itself, whose helper may hang. */
function isFuseMount(target: string): boolean {
  return readMountinfo().some(({ mountPoint, type }) => mountPoint === target && /^fuse(\.|$)/.test(type));
}

function writeRecord({ folder, record }: Pick<Entry, 'folder' | 'record'>): void {
  const path = join(folder, 'record.json');
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** One that was cut off by a crash says nothing: nothing was started then. */
function readRecord(folder: string): HelperRecord | undefined {
  try {
    const { target, plugin, program, instance, pid, startTime } = JSON.parse(
      readFileSync(join(folder, 'record.json'), 'utf8'),
    ) as HelperRecord;
    if (![target, plugin, program, instance].every((text) => typeof text === 'string')) return undefined;
    const known = { target, plugin, program, instance };
    return pid === undefined || startTime === undefined ? known : { ...known, pid, startTime };
  } catch {
    return undefined;
  }
}
