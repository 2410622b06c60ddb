import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const program = join(import.meta.dirname, '../../../core/bin/gantryd.mjs');
const startTimeoutMs = 15_000;

/** A gantryd of its own, below one folder. Disposing stops it orderly. */
export class DemoEngine implements AsyncDisposable {
  readonly host: string;
  readonly #folder: string;
  readonly #socket: string;
  #process: ChildProcess | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#socket = join(folder, 'exec', 'gantry.sock');
    this.host = `unix://${this.#socket}`;
  }

  /** Resolves with the milliseconds until it answered. */
  async start(): Promise<number> {
    const begun = performance.now();
    const log = openSync(this.#logFile, 'a');
    const roots = ['--data-root', join(this.#folder, 'data'), '--exec-root', join(this.#folder, 'exec')];
    this.#process = spawn(process.execPath, [program, ...roots, '--host', this.host], { stdio: ['ignore', log, log] });
    closeSync(log);
    while (!(await answers(this.#socket))) {
      if (this.#process.exitCode !== null) throw new Error(`gantryd ended with ${this.#process.exitCode}:\n${this.#lastWords()}`);
      if (performance.now() - begun > startTimeoutMs) throw new Error(`gantryd does not answer:\n${this.#lastWords()}`);
      await delay(10);
    }
    return performance.now() - begun;
  }

  /** As a crash: nothing is asked, nothing is written. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGTERM');
  }

  get #logFile(): string {
    return join(this.#folder, 'gantryd.log');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const process = this.#process;
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
    const ended = once(process, 'exit');
    process.kill(signal);
    await ended;
  }

  #lastWords(): string {
    return readFileSync(this.#logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
  }
}

async function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path, () => resolve(true)).on('error', () => resolve(false));
  return await promise.finally(() => socket.destroy());
}
