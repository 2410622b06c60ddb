import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, invalidArgument, notFound } from '../errors.ts';
import {
  checkId,
  commandFailure,
  type CreateRequest,
  type CreateResponse,
  type ExecDriver,
  type ExecRequest,
  type ExitEvent,
  type ProcessId,
  type SignalRequest,
  type State,
  type Stats,
} from '../exec/index.ts';
import type { Ctx } from '../types/index.ts';
import { MemoryProcess, type MemoryTerminal, type Program } from './memory-program.ts';
import { memoryShell } from './memory-shell.ts';
import { MemoryStreams } from './memory-streams.ts';

export interface MemoryMachineOptions {
  /** By what is written as first argument; "not executable" is one that is there and cannot be run. A small shell is there as `sh` and `/bin/sh`. */
  readonly programs?: Readonly<Record<string, Program | 'not executable'>>;
}

interface Made {
  readonly request: CreateRequest | ExecRequest;
  readonly process: MemoryProcess;
  readonly streams: MemoryStreams;
  readonly args: readonly string[];
  readonly createdAt: number;
  isStarted: boolean;
  exit?: ExitEvent;
}

/** Where containers in memory live, whatever becomes of the driver that made them. */
export class MemoryMachine {
  readonly programs: Readonly<Record<string, Program | 'not executable'>>;
  readonly containers = new Map<string, Made>();
  readonly execs = new Map<string, Made>();
  readonly watchers = new Set<(event: ExitEvent) => void>();
  /** No process of a kernel has such a number. */
  nextPid = 5_000_000;

  constructor({ programs = {} }: MemoryMachineOptions = {}) {
    this.programs = { sh: memoryShell, '/bin/sh': memoryShell, '/etc/passwd': 'not executable', ...programs };
  }
}

/** A whole exec driver whose containers are functions in this process: for tests of whoever needs processes but no kernel. A new one over the same machine is a restart. */
export class MemoryExecDriver implements ExecDriver {
  readonly features = [] as const;
  readonly #machine: MemoryMachine;
  readonly #prepared = new Map<string, Made>();

  constructor(machine = new MemoryMachine()) {
    this.#machine = machine;
  }

  /** Ends what waits for its start, as a plugin's end does. */
  close(): void {
    for (const { streams } of this.#prepared.values()) streams.close();
    this.#prepared.clear();
  }

  async create(request: CreateRequest): Promise<CreateResponse> {
    checkId(request.id);
    const known = this.#machine.containers.get(request.id);
    if (known !== undefined && known.exit === undefined && known.request.bundle === request.bundle) return answerOf(known);
    const { process } = JSON.parse(readFileSync(join(request.bundle, 'config.json'), 'utf8')) as {
      readonly process?: { readonly args?: readonly string[] };
    };
    const made = await this.#make(request, process?.args ?? [], {
      verb: 'create',
      stdinOnce: request.stdinOnce,
      spool: join(request.spoolDir, 'ctr.log'),
    });
    this.#machine.containers.set(request.id, made);
    return answerOf(made);
  }

  async start({ id }: { readonly id: string }): Promise<void> {
    const container = this.#container(id);
    if (container.isStarted || container.exit !== undefined) throw conflict(`container ${id} is not waiting to be started`);
    this.#run(container, { id });
  }

  async signal({ id, execId, signal, all = false }: SignalRequest): Promise<void> {
    const made = execId === undefined ? this.#container(id) : this.#exec(id, execId);
    if (signal < 1 || signal > 64) throw invalidArgument(`${signal} is no signal`);
    if (!made.process.signal(signal, { all }))
      throw conflict(`${execId === undefined ? `container ${id}` : `exec ${execId}`} is not running`);
  }

  async delete({ id, force }: { readonly id: string; readonly force: boolean }): Promise<void> {
    const container = this.#machine.containers.get(id);
    if (container === undefined) return;
    if (container.exit === undefined) {
      if (!force) throw conflict(`container ${id} is still running`);
      container.process.signal(9);
      await container.process.ended;
    }
    container.streams.close();
    this.#machine.containers.delete(id);
    for (const [key, exec] of this.#machine.execs)
      if (exec.request.id === id) await this.execDelete({ id, execId: key.slice(id.length + 1) });
  }

  async state({ id, execId }: ProcessId): Promise<State> {
    const made = execId === undefined ? this.#machine.containers.get(id) : this.#exec(id, execId);
    if (made === undefined) return { status: 'unknown', pid: 0 };
    const { exit, process, isStarted } = made;
    if (exit !== undefined)
      return { status: 'stopped', pid: process.pid, exitCode: exit.exitCode, exitedAt: exit.exitedAt, oomKilled: false };
    if (!isStarted) return { status: 'created', pid: process.pid };
    return { status: process.isPaused ? 'paused' : 'running', pid: process.pid };
  }

  async *watch({ after }: { readonly after: number }, { signal }: Ctx): AsyncGenerator<ExitEvent> {
    const { containers, execs, watchers } = this.#machine;
    const queue = after === 0 ? [...containers.values(), ...execs.values()].flatMap(({ exit }) => exit ?? []) : [];
    let wake = (): void => {};
    const watcher = (event: ExitEvent): void => {
      queue.push(event);
      wake();
    };
    const onAbort = (): void => wake();
    watchers.add(watcher);
    signal.addEventListener('abort', onAbort);
    try {
      for (;;) {
        signal.throwIfAborted();
        const event = queue.shift();
        if (event !== undefined) yield event;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      watchers.delete(watcher);
      signal.removeEventListener('abort', onAbort);
    }
  }

  async exec(request: ExecRequest): Promise<CreateResponse> {
    const { id, execId, detached } = request;
    const container = this.#container(checkId(id));
    if (container.exit !== undefined) throw conflict(`container ${id} is not running`);
    const { args = [] } = request.process as { readonly args?: readonly string[] };
    mkdirSync(request.bundle, { recursive: true });
    const made = await this.#make(request, args, { verb: 'exec', stdinOnce: true });
    this.#machine.execs.set(keyOf(id, checkId(execId)), made);
    if (detached) return { ...answerOf(made), pid: this.#runExec(made, request), streams: {} };
    this.#prepared.set(keyOf(id, execId), made);
    return { ...answerOf(made), pid: 0 };
  }

  async execStart({ id, execId = '' }: ProcessId): Promise<{ readonly pid: number }> {
    const made = this.#prepared.get(keyOf(id, execId));
    if (made === undefined) throw conflict(`exec ${execId} of container ${id} is not waiting to be started`);
    this.#prepared.delete(keyOf(id, execId));
    return { pid: this.#runExec(made, { id, execId }) };
  }

  async execDelete({ id, execId = '' }: ProcessId): Promise<void> {
    const made = this.#machine.execs.get(keyOf(id, execId));
    this.#prepared.delete(keyOf(id, execId));
    this.#machine.execs.delete(keyOf(id, execId));
    made?.streams.close();
  }

  async resize({ id, execId, rows, columns }: ProcessId & Pick<MemoryTerminal, 'rows' | 'columns'>): Promise<void> {
    const { terminal } = (execId === undefined ? this.#container(id) : this.#exec(id, execId)).process;
    if (terminal === undefined) throw conflict('the process has no terminal');
    Object.assign(terminal, { rows, columns });
  }

  async pause({ id, resume }: { readonly id: string; readonly resume: boolean }): Promise<void> {
    this.#container(id).process.pause(!resume);
  }

  async update({ id }: { readonly id: string }): Promise<void> {
    this.#container(id);
  }

  async stats({ id }: { readonly id: string }): Promise<Stats> {
    const { createdAt, process } = this.#container(id);
    const totalNs = Math.ceil((performance.now() - createdAt) * 1e6);
    const cpu = { totalNs, userNs: totalNs, systemNs: 0, periods: 0, throttledPeriods: 0, throttledNs: 0 };
    return { readAt: new Date(), cgroupVersion: 2, cpu, memory: { usageBytes: 0, stat: {} }, pids: { current: process.size }, blockIo: [] };
  }

  async pids({ id }: { readonly id: string }): Promise<{ readonly pids: readonly number[] }> {
    return { pids: [this.#container(id).process.pid] };
  }

  async runtimes(): ReturnType<ExecDriver['runtimes']> {
    return { usable: [{ name: 'memory', path: '', version: '1' }], unusable: [], cgroupVersion: 2, cgroupDriver: 'cgroupfs' };
  }

  async #make(
    request: CreateRequest | ExecRequest,
    args: readonly string[],
    { verb, stdinOnce, spool }: { readonly verb: 'create' | 'exec'; readonly stdinOnce: boolean; readonly spool?: string },
  ): Promise<Made> {
    // Of an exec it is told when it is started.
    if (verb === 'create') this.#programOf(args, verb);
    const terminal: MemoryTerminal | undefined = request.tty ? { rows: 24, columns: 80, isCooked: true } : undefined;
    const { openStdin } = request;
    const streams = await MemoryStreams.open(join(request.bundle, 'attach'));
    const process = new MemoryProcess((this.#machine.nextPid += 1), {
      terminal,
      print: async (bytes, source) => {
        if (spool !== undefined) spooled(spool, bytes, { source, maxBytes: 'spoolMaxBytes' in request ? request.spoolMaxBytes : 0 });
        await streams.print(bytes, source);
      },
    });
    if (spool !== undefined) writeFileSync(spool, '');
    if (!openStdin) process.stdin.end();
    streams.onInput = (bytes) => openStdin && process.stdin.push(bytes);
    streams.onEnd = () => stdinOnce && process.stdin.end();
    return { request, process, streams, args, createdAt: performance.now(), isStarted: false };
  }

  #runExec(made: Made, { id, execId }: { readonly id: string; readonly execId: string }): number {
    this.#run(made, { id, execId });
    const container = this.#container(id);
    void container.process.ended.then(() => made.process.signal(9));
    return made.process.pid;
  }

  #run(made: Made, named: Pick<ExitEvent, 'id' | 'execId'>): void {
    const { process, streams, args } = made;
    const program = this.#programOf(args, named.execId === undefined ? 'create' : 'exec');
    made.isStarted = true;
    // Who has connected before sees the first byte.
    streams.acceptWaiting();
    process.run(program, args);
    void process.ended.then(async (exitCode) => {
      made.exit = { ...named, exitCode, exitedAt: new Date(), oomKilled: false };
      await streams.finish();
      for (const tell of this.#machine.watchers) tell(made.exit);
    });
  }

  #programOf([name = '']: readonly string[], verb: 'create' | 'exec'): Program {
    const program = this.#machine.programs[name];
    if (program === undefined) throw commandFailure(name, { verb, reason: 'COMMAND_NOT_FOUND' });
    if (program === 'not executable') throw commandFailure(name, { verb, reason: 'COMMAND_NOT_EXECUTABLE' });
    return program;
  }

  #container(id: string): Made {
    const container = this.#machine.containers.get(id);
    if (container === undefined) throw notFound(`container ${id} has no process`);
    return container;
  }

  #exec(id: string, execId: string): Made {
    const exec = this.#machine.execs.get(keyOf(id, execId));
    if (exec === undefined) throw notFound(`exec ${execId} of container ${id} has no process`);
    return exec;
  }
}

const keyOf = (id: string, execId: string): string => `${id} ${execId}`;

function answerOf({ process: { pid }, streams }: Made): CreateResponse {
  return { pid, monitorPid: pid + 1_000_000, streams: { attachSocket: streams.path } };
}

/** CRI log format, as monitors write it; begun anew when it grew too long. */
function spooled(path: string, bytes: Buffer, { source, maxBytes }: { readonly source: string; readonly maxBytes: number }): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const lines = bytes.toString('latin1').split('\n');
  const rest = lines.pop() ?? '';
  const now = new Date().toISOString();
  const written = [...lines.map((line) => `${now} ${source} F ${line}\n`), ...(rest === '' ? [] : [`${now} ${source} P ${rest}\n`])].join(
    '',
  );
  if (maxBytes > 0 && size + written.length > maxBytes) writeFileSync(path, written, 'latin1');
  else appendFileSync(path, written, 'latin1');
}
