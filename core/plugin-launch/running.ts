import { closeSync } from 'node:fs';
import type { Child } from './child.ts';
import type { Output } from './output/output.ts';
import type { Launched, LaunchExit } from './types.ts';

/** What a confined process has beside itself. */
export interface Confinement extends AsyncDisposable {
  /** Kills all that the process ever started; resolves when it is gone, except the process itself, which only its parent can reap. */
  killAll(): Promise<void>;
  oomKills(): number;
  usage(): { readonly memoryBytes: number; readonly pids: number } | undefined;
}

interface Parts {
  readonly child: Child;
  readonly output: Output;
  /** The end that the engine writes to; owned from now on, as the others are. */
  readonly stdin: number;
  readonly confinement?: Confinement;
}

/** A plugin's process after its start. */
export class RunningPlugin implements Launched {
  readonly exited: Promise<LaunchExit>;
  readonly #parts: Parts;
  #stdinIsOpen = true;
  #disposed: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.output.begin();
    this.exited = this.#watch();
  }

  get pid(): number {
    return this.#parts.child.pid;
  }

  closeStdin(): void {
    if (this.#stdinIsOpen) closeSync(this.#parts.stdin);
    this.#stdinIsOpen = false;
  }

  signal(signal: NodeJS.Signals): boolean {
    return this.#disposed === undefined && this.#parts.child.signal(signal);
  }

  async killAll(): Promise<void> {
    const { child, confinement } = this.#parts;
    if (this.#disposed !== undefined) return this.#disposed;
    child.signal('SIGKILL');
    await Promise.all([confinement?.killAll(), child.ended]);
  }

  usage(): { readonly memoryBytes: number; readonly pids: number } | undefined {
    return this.#parts.confinement?.usage();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose(this.killAll());
    return this.#disposed;
  }

  async #dispose(killed: Promise<void>): Promise<void> {
    const { child, output, confinement } = this.#parts;
    await using undo = new AsyncDisposableStack();
    undo.use(child);
    undo.use(output);
    if (confinement !== undefined) undo.use(confinement);
    undo.defer(() => this.closeStdin());
    await killed;
    await this.exited;
  }

  async #watch(): Promise<LaunchExit> {
    const { child, output, confinement } = this.#parts;
    const { exitCode, signal } = await child.ended;
    output.drain();
    return {
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(signal === undefined ? {} : { signal }),
      oomKilled: signal === 'SIGKILL' && (confinement?.oomKills() ?? 0) > 0,
    };
  }
}
