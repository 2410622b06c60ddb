import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { notFound } from '@gantry/sdk';
import type { Layout } from './layout.ts';
import type { Runtime } from './runtimes.ts';

/** What is remembered of one container while it has a runtime state: enough for a plugin that was started again. */
export interface ContainerRecord {
  readonly id: string;
  readonly bundle: string;
  readonly runtime: string;
  /** The same by its program, so that the container can be ended when the runtime is not known any more. Absent in older records. */
  readonly program?: Pick<Runtime, 'path' | 'options' | 'kind'>;
  readonly pid: number;
  readonly startTime: number;
  readonly monitorPid: number;
  readonly monitorStartTime: number;
  readonly cgroup: string;
}
export interface ExecRecord {
  readonly id: string;
  readonly execId: string;
  readonly bundle: string;
  readonly monitorPid: number;
  readonly monitorStartTime: number;
  /** 0 until it runs. */
  readonly pid: number;
  readonly startTime: number;
}

export class Records {
  readonly #layout: Layout;
  readonly #containers = new Map<string, ContainerRecord>();
  readonly #execs = new Map<string, ExecRecord>();

  /** Reads what an earlier run left; a torn file counts as absent. */
  constructor(layout: Layout) {
    this.#layout = layout;
    for (const name of readdirSync(layout.containers))
      this.#load(`${layout.containers}/${name}`, (record) => this.#containers.set(record.id, record));
    for (const name of readdirSync(layout.execs)) {
      this.#load(`${layout.execs}/${name}/record.json`, (record) => this.#execs.set(key(record), record));
    }
  }

  containers(): readonly ContainerRecord[] {
    return [...this.#containers.values()];
  }

  execs(): readonly ExecRecord[] {
    return [...this.#execs.values()];
  }

  execsOf(id: string): readonly ExecRecord[] {
    return this.execs().filter((exec) => exec.id === id);
  }

  find(id: string): ContainerRecord | undefined {
    return this.#containers.get(id);
  }

  get(id: string): ContainerRecord {
    const record = this.#containers.get(id);
    if (record === undefined) throw notFound(`container ${id} has no process`);
    return record;
  }

  findExec(id: string, execId: string): ExecRecord | undefined {
    return this.#execs.get(key({ id, execId }));
  }

  getExec(id: string, execId: string): ExecRecord {
    const record = this.findExec(id, execId);
    if (record === undefined) throw notFound(`exec ${execId} of container ${id} has no process`);
    return record;
  }

  put(record: ContainerRecord): void {
    write(this.#layout.containerRecord(record.id), record);
    this.#containers.set(record.id, record);
  }

  putExec(record: ExecRecord): void {
    write(this.#layout.execRecord(record.id, record.execId), record);
    this.#execs.set(key(record), record);
  }

  remove(id: string): void {
    this.#containers.delete(id);
    for (const path of [this.#layout.containerRecord(id), this.#layout.containerExit(id)]) rmSync(path, { force: true });
  }

  removeExec(id: string, execId: string): void {
    this.#execs.delete(key({ id, execId }));
    // A monitor on its way out may still drop a file here.
    rmSync(this.#layout.execFolder(id, execId), { recursive: true, force: true, maxRetries: 5, retryDelay: 2 });
  }

  #load(path: string, keep: (record: ContainerRecord & ExecRecord) => void): void {
    try {
      keep(JSON.parse(readFileSync(path, 'utf8')) as ContainerRecord & ExecRecord);
    } catch {
      rmSync(path, { force: true });
    }
  }
}

const key = ({ id, execId }: { readonly id: string; readonly execId: string }) => `${id}.${execId}`;

/** The folder is a tmpfs that does not survive what a sync would protect from. */
function write(path: string, record: unknown): void {
  writeFileSync(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}
