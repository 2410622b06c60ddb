import { nodeFlags } from '../../../core/cli/daemon/index.ts';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Api } from '../clients/api.ts';
import { slowness } from '../machine/slowness.ts';

export interface DaemonOptions {
  /** Data root, exec root, socket and log are folders and files in here; the same folder again is a restart. */
  readonly folder: string;
  /** For GANTRY_FAILPOINTS and the like. */
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  /** Another engine to drive instead, given these places. */
  readonly command?: (places: Places) => readonly string[];
  readonly startTimeoutMs?: number;
  /** Of ours, when it is not that of the sources. */
  readonly program?: string;
}

export interface Places {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly socketPath: string;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A gantryd of its own, in a process of its own. Only inside `inNamespaces`: it makes mounts and links. */
export class Daemon implements AsyncDisposable {
  readonly places: Places;
  readonly api: Api;
  /** From the start of the process to the first answer. */
  readonly startedMs: number;
  readonly #child: ChildProcess;
  readonly #logPath: string;
  readonly #ended: Promise<Ended>;

  private constructor(
    child: ChildProcess,
    api: Api,
    {
      places,
      logPath,
      ended,
      startedMs,
    }: Pick<Daemon, 'places' | 'startedMs'> & { readonly logPath: string; readonly ended: Promise<Ended> },
  ) {
    this.#child = child;
    this.api = api;
    this.places = places;
    this.startedMs = startedMs;
    this.#logPath = logPath;
    this.#ended = ended;
  }

  /** Resolves when it answers `_ping`; throws with its log when it ends before, or takes too long. */
  static async start({
    folder,
    env = {},
    flags = [],
    program = ownProgram,
    command = (given) => gantryd(program, given),
    startTimeoutMs = 20_000 * slowness,
  }: DaemonOptions): Promise<Daemon> {
    const places = { dataRoot: join(folder, 'data'), execRoot: join(folder, 'exec'), socketPath: join(folder, 'engine.sock') };
    mkdirSync(folder, { recursive: true });
    const logPath = join(folder, 'engine.log');
    writeFileSync(join(folder, 'daemon.json'), '{}');
    const log = openSync(logPath, 'a');
    const [file = '', ...given] = [...command(places), ...flags];
    const began = performance.now();
    const child = spawn(file, given, { stdio: ['ignore', log, log], env: { ...process.env, ...env } });
    closeSync(log);
    const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    const api = new Api(places.socketPath);
    if (!(await answers(api, child, startTimeoutMs))) {
      child.kill('SIGKILL');
      throw new Error(`the engine did not start:\n${readFileSync(logPath, 'utf8')}`);
    }
    return new Daemon(child, api, { places, logPath, ended, startedMs: performance.now() - began });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** How it ended; while it runs, waits. */
  get ended(): Promise<Ended> {
    return this.#ended;
  }

  get log(): string {
    return readFileSync(this.#logPath, 'utf8');
  }

  /** Sends the signal and resolves when the process is gone. What runs under its monitors goes on. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Ended> {
    this.#child.kill(signal);
    const ended = await this.#ended;
    this.api[Symbol.dispose]();
    return ended;
  }

  /** Asks it to stop, and insists after ten seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await this.kill('SIGTERM');
    clearTimeout(insist);
  }
}

const ownProgram = join(import.meta.dirname, '../../../core/bin/gantryd.mjs');

function gantryd(program: string, places: Places): readonly string[] {
  return [process.execPath, ...nodeFlags, program, ...flagsFor(places)];
}

/** What gantryd is told so that it has nothing of the machine's own. */
export function flagsFor({ dataRoot, execRoot, socketPath }: Places): readonly string[] {
  return [
    '--data-root',
    dataRoot,
    '--exec-root',
    execRoot,
    '--host',
    `unix://${socketPath}`,
    '--config-file',
    join(dirname(socketPath), 'daemon.json'),
  ];
}

async function answers(api: Api, child: ChildProcess, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (child.exitCode === null && child.signalCode === null && performance.now() < deadline) {
    const status = await api.call('GET', '/_ping', { signal: AbortSignal.timeout(timeoutMs) }).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return true;
    await sleep(2);
  }
  return false;
}
