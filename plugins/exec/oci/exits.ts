import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from 'node:fs';
import type { HostContext, Logger } from '@gantry/sdk';
import type { ExitEvent } from '@gantry/sdk/exec';
import { wasOomKilled } from './cgroups/oom.ts';
import type { Layout } from './layout.ts';
import { isAlive, whenEnded, whenReaped } from './processes.ts';
import type { ContainerRecord, ExecRecord, Records } from './records.ts';

interface Subscriber {
  readonly queue: ExitEvent[];
  wake: () => void;
}

/**
 * Learns how containers and execs ended: from the files that conmon writes, announced by one inotify watch, and from the end of conmon
 * itself, should it die without having written one. Each end is told once to every subscriber; the files tell again after a restart.
 */
export class Exits {
  readonly #layout: Layout;
  readonly #records: Records;
  readonly #log: Logger;
  readonly #ending: AbortSignal;
  readonly #subscribers = new Set<Subscriber>();
  readonly #told = new Set<string>();
  readonly #watcher: FSWatcher;

  constructor(layout: Layout, records: Records, { log, signal }: Pick<HostContext, 'log' | 'signal'>) {
    this.#layout = layout;
    this.#records = records;
    this.#log = log;
    this.#ending = signal;
    this.#watcher = watch(layout.exits, { persistent: false }, (_, name) => this.#containerFile(name));
    for (const record of records.containers()) if (this.read(record) === undefined) this.follow(record);
    for (const record of records.execs()) this.#takeOverExec(record);
  }

  close(): void {
    this.#watcher.close();
    for (const subscriber of this.#subscribers) subscriber.wake();
    this.#subscribers.clear();
  }

  /** Sees to it that the container's end is told even when its monitor is killed: then when its init ends, with exit code 255. */
  follow(record: ContainerRecord, monitorEnded?: Promise<void>): void {
    const monitor = { pid: record.monitorPid, startTime: record.monitorStartTime };
    const waiting = { signal: this.#ending, keepAlive: false };
    (monitorEnded ?? whenReaped(monitor, waiting))
      .then(async () => {
        this.#ending.throwIfAborted();
        const current = () => this.#records.find(record.id)?.pid === record.pid;
        if (this.read(record) !== undefined || !current()) return this.#containerFile(record.id);
        this.#log.warn({ container: record.id }, 'the monitor of a container was killed: its exit code will be unknown');
        await whenEnded(record, waiting);
        if (current()) this.tell({ id: record.id, exitCode: 255, exitedAt: new Date(), oomKilled: wasOomKilled(record.cgroup) });
      })
      .catch((error: unknown) => {
        if (!this.#ending.aborted) this.#log.warn({ container: record.id, err: error }, 'cannot watch the monitor of a container');
      });
  }

  /**
   * An exec of an earlier run, whose pipe went with it: its end is in its exit record. The monitor may be a child of this process, as threads
   * share theirs, and nobody else reaps it. One that was never let go ends with its pipe.
   */
  #takeOverExec(record: ExecRecord): void {
    const monitor = { pid: record.monitorPid, startTime: record.monitorStartTime };
    whenReaped(monitor, { signal: this.#ending, keepAlive: false })
      .then(() => {
        if (this.#records.findExec(record.id, record.execId)?.monitorPid !== record.monitorPid || record.pid === 0) return;
        this.tell(this.readExec(record) ?? { id: record.id, execId: record.execId, exitCode: 255, exitedAt: new Date(), oomKilled: false });
      })
      .catch((error: unknown) => {
        if (!this.#ending.aborted)
          this.#log.warn({ container: record.id, exec: record.execId, err: error }, 'cannot watch the monitor of an exec');
      });
  }

  /** The exit record of a container, if it is there. */
  read(record: ContainerRecord): ExitEvent | undefined {
    const exit = readExit(this.#layout.containerExit(record.id));
    return exit && { id: record.id, ...exit, oomKilled: isFile(`${record.bundle}/oom`) || wasOomKilled(record.cgroup) };
  }

  readExec(record: ExecRecord): ExitEvent | undefined {
    const exit = readExit(this.#layout.execExit(record.id, record.execId));
    return exit && { id: record.id, execId: record.execId, ...exit, oomKilled: false };
  }

  tell(event: ExitEvent): void {
    const key = keyOf(event);
    if (this.#told.has(key)) return;
    this.#told.add(key);
    for (const subscriber of this.#subscribers) {
      subscriber.queue.push(event);
      subscriber.wake();
    }
  }

  /** The next end under this name is another one. */
  forget(id: string, execId?: string): void {
    this.#told.delete(keyOf({ id, execId }));
  }

  /** `replay`: first those whose records are still there. Ends with `close`, and with the signal's reason when aborted. */
  async *subscribe(replay: boolean, signal: AbortSignal): AsyncGenerator<ExitEvent> {
    const subscriber: Subscriber = { queue: replay ? this.#past() : [], wake: () => {} };
    this.#subscribers.add(subscriber);
    const onAbort = () => subscriber.wake();
    signal.addEventListener('abort', onAbort);
    try {
      for (;;) {
        signal.throwIfAborted();
        const event = subscriber.queue.shift();
        if (event !== undefined) yield event;
        else if (!this.#subscribers.has(subscriber)) return;
        else await new Promise<void>((resolve) => (subscriber.wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#subscribers.delete(subscriber);
    }
  }

  #past(): ExitEvent[] {
    const ended = this.#records.containers().flatMap((record) => this.#pastOf(record) ?? []);
    const execs = this.#records.execs().flatMap((record) => this.readExec(record) ?? []);
    const past = [...ended, ...execs];
    // Others who listen hear of what the kernel has not announced yet: they would not later, as it counts as told.
    for (const event of past) this.tell(event);
    return past;
  }

  /** Whoever looks at the processes after the file might see a monitor that wrote it meanwhile, and take it for lost. */
  #pastOf(record: ContainerRecord): ExitEvent | undefined {
    const isOver = !isAlive(record) && !isAlive({ pid: record.monitorPid, startTime: record.monitorStartTime });
    return this.read(record) ?? (isOver ? { id: record.id, exitCode: 255, exitedAt: new Date(), oomKilled: false } : undefined);
  }

  #containerFile(name: string | null): void {
    // After an overflow of the kernel's queue there is no name: look at all of them.
    const names = name === null ? readdirSync(this.#layout.exits) : [name];
    for (const id of names) {
      const record = this.#records.find(id);
      const event = record && this.read(record);
      if (event !== undefined) this.tell(event);
    }
  }
}

const keyOf = ({ id, execId }: { readonly id: string; readonly execId?: string | undefined }) => `${id} ${execId ?? ''}`;

function readExit(path: string): { readonly exitCode: number; readonly exitedAt: Date } | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return text === '' ? undefined : { exitCode: Number(text), exitedAt: statSync(path).mtime };
  } catch {
    return undefined;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
