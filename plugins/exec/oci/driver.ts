import { closeSync, constants, existsSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { conflict, fromErrno, invalidArgument, type Ctx, type HostContext } from '@gantry/sdk';
import type {
  CreateRequest,
  CreateResponse,
  ExecDriver,
  ExecRequest,
  ExitEvent,
  ProcessId,
  SignalRequest,
  State,
  Stats,
  Streams,
} from '@gantry/sdk/exec';
import { isErrno, processStartTime } from '@gantry/sdk/linux';
import { clientsAccepted } from './accepted.ts';
import { isFrozen, thaw } from './cgroups/freezer.ts';
import { cgroupVersion } from './cgroups/hierarchies.ts';
import { cgroupPids } from './cgroups/pids.ts';
import { readStats } from './cgroups/stats.ts';
import { createContainer } from './create.ts';
import { deleteContainer } from './delete.ts';
import { execPid, prepareExec, removeExecBundle } from './exec.ts';
import { Exits } from './exits.ts';
import { Layout } from './layout.ts';
import type { Monitor } from './monitor.ts';
import { isAlive, type ProcessRef, sendSignal } from './processes.ts';
import { type ContainerRecord, type ExecRecord, Records } from './records.ts';
import { release } from './release.ts';
import { runRuntime } from './run-runtime.ts';
import { type Runtime, Runtimes } from './runtimes.ts';
import { SeccompCache } from './seccomp-cache.ts';
import { giveStreams, type StreamUser } from './stream-owners.ts';

/** Containers by conmon and an OCI runtime. Nothing of it needs this process once it runs. */
export class OciDriver implements ExecDriver {
  readonly features = ['monitor'] as const;
  readonly #ending: AbortSignal;
  readonly #layout: Layout;
  readonly #records: Records;
  readonly #exits: Exits;
  readonly #runtimes: Runtimes;
  readonly #seccomp = new SeccompCache();
  readonly #runningExecs = new Set<Monitor>();
  readonly #waitingExecs = new Map<string, { readonly monitor: Monitor; readonly request: ExecRequest }>();

  constructor(host: HostContext) {
    // A worker's descriptors outlive it, so nothing may still be waited for at its end; else what waits reaps children even after the plugin.
    this.#ending = isMainThread ? new AbortController().signal : host.signal;
    this.#layout = new Layout(host.runDir);
    this.#records = new Records(this.#layout);
    this.#exits = new Exits(this.#layout, this.#records, { log: host.log, signal: this.#ending });
    this.#runtimes = new Runtimes(host, this.#layout);
  }

  /** Lets go of what runs, which the next one takes over by its records. */
  async close(): Promise<void> {
    this.#exits.close();
    for (const monitor of this.#runningExecs) monitor[Symbol.dispose]();
    for (const { monitor } of this.#waitingExecs.values()) await monitor.abandon();
  }

  async create(request: CreateRequest, { signal }: Ctx): Promise<CreateResponse> {
    const known = this.#records.find(request.id);
    if (known !== undefined && known.bundle === request.bundle && isAlive(known)) return created(known);
    if (known !== undefined) await this.#delete(known, false, signal);
    const runtime = await (request.command === undefined ? this.#runtimes.get(request.runtime) : this.#runtimes.described(request.command));
    const { record, monitorEnded } = await createContainer(request, {
      seccomp: this.#seccomp,
      conmon: this.#runtimes.conmon(),
      runtime,
      layout: this.#layout,
      ending: this.#ending,
      signal,
    });
    this.#exits.forget(record.id);
    this.#records.put(record);
    this.#exits.follow(record, monitorEnded);
    return created(record);
  }

  async start({ id }: { readonly id: string }, { signal }: Ctx): Promise<void> {
    const record = this.#records.get(id);
    await clientsAccepted(signal);
    await release(await this.#runtime(record), this.#layout.runtimeState(id), id, { init: record, signal });
  }

  signal({ id, execId, signal, all = false }: SignalRequest): Promise<void> {
    return settled(() => {
      if (signal < 1 || signal > lastSignal) throw invalidArgument(`${signal} is no signal`);
      const record = execId === undefined ? this.#records.get(id) : this.#records.getExec(id, execId);
      if (!sendSignal(record, signal)) throw conflict(`${execId === undefined ? `container ${id}` : `exec ${execId}`} is not running`);
      if (!all || execId !== undefined) return;
      for (const pid of cgroupPids(this.#records.get(id).cgroup)) sendSignal({ pid, startTime: processStartTime(pid) ?? -1 }, signal);
    });
  }

  async delete({ id, force }: { readonly id: string; readonly force: boolean }, { signal }: Ctx): Promise<void> {
    const record = this.#records.find(id);
    if (record !== undefined) await this.#delete(record, force, signal);
  }

  state({ id, execId }: ProcessId): Promise<State> {
    return settled(() => {
      if (execId !== undefined) {
        const exec = this.#records.getExec(id, execId);
        return stateOf(isAlive(exec) ? 'running' : 'stopped', exec.pid, this.#exits.readExec(exec));
      }
      const record = this.#records.find(id);
      if (record === undefined) return { status: 'unknown', pid: 0 };
      if (!isAlive(record)) return stateOf('stopped', record.pid, this.#exits.read(record));
      if (existsSync(join(this.#layout.runtimeState(id), 'exec.fifo'))) return stateOf('created', record.pid);
      return stateOf(isFrozen(record.cgroup) ? 'paused' : 'running', record.pid);
    });
  }

  watch({ after }: { readonly after: number }, { signal }: Ctx): AsyncIterable<ExitEvent> {
    return this.#exits.subscribe(after === 0, signal);
  }

  async exec(request: ExecRequest, { signal }: Ctx): Promise<CreateResponse> {
    const container = this.#records.get(request.id);
    const runtime = await this.#runtime(container);
    const monitor = await prepareExec(request, {
      conmon: this.#runtimes.conmon(),
      runtime,
      layout: this.#layout,
      ending: this.#ending,
      signal,
    });
    const { pid: monitorPid } = await this.#putExec(request, monitor, 0);
    this.#exits.forget(request.id, request.execId);
    if (request.detached) {
      const pid = await this.#run(monitor, request, signal);
      giveStreams(pid, { init: container.pid, user: userOf(request) });
      return { pid, monitorPid, streams: {} };
    }
    giveStreams(monitorPid, { init: container.pid, user: userOf(request) });
    this.#waitingExecs.set(`${request.id} ${request.execId}`, { monitor, request });
    return { pid: 0, monitorPid, streams: streamsOf(request.bundle) };
  }

  async execStart({ id, execId = '' }: ProcessId, { signal }: Ctx): Promise<{ readonly pid: number }> {
    const waiting = this.#waitingExecs.get(`${id} ${execId}`);
    if (waiting === undefined) throw conflict(`exec ${execId} of container ${id} is not waiting to be started`);
    this.#waitingExecs.delete(`${id} ${execId}`);
    await releaseMonitor(waiting);
    return { pid: await this.#run(waiting.monitor, waiting.request, signal) };
  }

  async execDelete({ id, execId = '' }: ProcessId): Promise<void> {
    const waiting = this.#waitingExecs.get(`${id} ${execId}`);
    this.#waitingExecs.delete(`${id} ${execId}`);
    if (waiting !== undefined) await waiting.monitor.abandon();
    const record = this.#records.findExec(id, execId);
    if (record !== undefined) removeExecBundle(record.bundle);
    this.#records.removeExec(id, execId);
    this.#exits.forget(id, execId);
  }

  resize({ id, execId, rows, columns }: ProcessId & { readonly rows: number; readonly columns: number }): Promise<void> {
    return settled(() => {
      const { bundle } = execId === undefined ? this.#records.get(id) : this.#records.getExec(id, execId);
      writeControl(join(bundle, 'ctl'), `1 ${rows} ${columns}\n`);
    });
  }

  async pause({ id, resume }: { readonly id: string; readonly resume: boolean }, { signal }: Ctx): Promise<void> {
    const record = this.#records.get(id);
    if (isFrozen(record.cgroup) !== resume) return;
    const verb = resume ? 'resume' : 'pause';
    try {
      await runRuntime(await this.#runtime(record), [verb, id], { signal, doing: `${verb} container ${id}` });
    } catch (error) {
      // By cgroup v2 what is frozen dies of SIGKILL all the same, and a runtime resumes nothing that has ended.
      if (!resume || isAlive(record)) throw error;
      thaw(record.cgroup);
    }
  }

  async update({ id, resources }: { readonly id: string; readonly resources: unknown }, { signal }: Ctx): Promise<void> {
    const runtime = await this.#runtime(this.#records.get(id));
    await runRuntime(runtime, ['update', '--resources', '-', id], {
      signal,
      doing: `update container ${id}`,
      stdin: JSON.stringify(resources),
    });
  }

  stats({ id }: { readonly id: string }): Promise<Stats> {
    return settled(() => readStats(this.#records.get(id).cgroup));
  }

  pids({ id }: { readonly id: string }): Promise<{ readonly pids: readonly number[] }> {
    return settled(() => ({ pids: cgroupPids(this.#records.get(id).cgroup) }));
  }

  async runtimes(): ReturnType<ExecDriver['runtimes']> {
    const { usable, unusable } = await this.#runtimes.found();
    return {
      usable: usable.map(({ name, path, version, warning }) => ({ name, path, version, ...(warning !== undefined && { warning }) })),
      unusable,
      cgroupVersion: cgroupVersion(),
      cgroupDriver: 'cgroupfs',
    };
  }

  async #runtime({ runtime: name, program }: ContainerRecord): Promise<Runtime> {
    return program === undefined ? this.#runtimes.get(name) : { name, version: '', root: this.#layout.runtimeRoot, ...program };
  }

  async #delete(record: ContainerRecord, force: boolean, signal: AbortSignal): Promise<void> {
    const runtime = await this.#runtime(record);
    await deleteContainer(record, { runtime, stateFolder: this.#layout.runtimeState(record.id), force, signal });
    for (const { execId } of this.#records.execsOf(record.id)) await this.execDelete({ id: record.id, execId });
    this.#records.remove(record.id);
    this.#exits.forget(record.id);
  }

  async #run(monitor: Monitor, request: ExecRequest, signal: AbortSignal): Promise<number> {
    const pid = await execPid(monitor, request, signal);
    await this.#putExec(request, monitor, pid);
    this.#tellEnd(monitor, request);
    return pid;
  }

  /** conmon reports an exec's exit code on the same pipe, before it ends. */
  #tellEnd(monitor: Monitor, { id, execId }: ExecRequest): void {
    this.#runningExecs.add(monitor);
    void monitor.sync
      .next({ keepAlive: false })
      .then((report) => this.#exits.tell({ id, execId, exitCode: report?.data ?? 255, exitedAt: new Date(), oomKilled: false }))
      .finally(() => {
        this.#runningExecs.delete(monitor);
        monitor[Symbol.dispose]();
      });
  }

  /** Answers the monitor. */
  async #putExec({ id, execId, bundle }: ExecRequest, monitor: Monitor, pid: number): Promise<ProcessRef> {
    const process = await monitor.process;
    const record: ExecRecord = {
      id,
      execId,
      bundle,
      monitorPid: process.pid,
      monitorStartTime: process.startTime,
      pid,
      startTime: pid === 0 ? 0 : (processStartTime(pid) ?? 0),
    };
    this.#records.putExec(record);
    return process;
  }
}

/** SIGRTMAX of signal(7). */
const lastSignal = 64;

/** It may have ended while it waited: when its container went, and its folder. */
async function releaseMonitor({
  monitor,
  request: { execId },
}: {
  readonly monitor: Monitor;
  readonly request: ExecRequest;
}): Promise<void> {
  try {
    monitor.release();
  } catch (error) {
    await monitor.abandon();
    throw conflict(`exec ${execId}: its monitor has ended`, { cause: error });
  }
}

function created(record: ContainerRecord): CreateResponse {
  return { pid: record.pid, monitorPid: record.monitorPid, streams: { ...streamsOf(record.bundle) } };
}

function streamsOf(bundle: string): Streams {
  return { attachSocket: join(bundle, 'attach'), control: join(bundle, 'ctl') };
}

function userOf({ process }: ExecRequest): StreamUser {
  return (process as { readonly user?: StreamUser }).user ?? {};
}

function stateOf(status: State['status'], pid: number, exit?: ExitEvent): State {
  if (exit === undefined) return { status, pid };
  return { status, pid, exitCode: exit.exitCode, exitedAt: exit.exitedAt, oomKilled: exit.oomKilled };
}

function writeControl(path: string, line: string): void {
  let file: number;
  try {
    file = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENXIO', 'ENOENT')) throw conflict('the process has no terminal any more', { cause: error });
    throw fromErrno(error, 'resize');
  }
  try {
    writeSync(file, line);
  } finally {
    closeSync(file);
  }
}

/** What is done at once, as a promise that a throw rejects. */
function settled<T>(work: () => T): Promise<T> {
  return Promise.try(work);
}
