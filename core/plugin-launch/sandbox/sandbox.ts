import { closeSync } from 'node:fs';
import { internal } from '@gantry/sdk';
import { pipe } from '@gantry/sdk/linux';
import type { Abortable } from '../../support/index.ts';
import type { ProcessGroup } from '../cgroup/group.ts';
import { Child } from '../child.ts';
import type { Confinement } from '../running.ts';
import { pidCells, type SandboxJob } from './job.ts';
import type { SandboxThread } from './thread.ts';

/** What is around a plugin's process: the thread that builds it, its first process, its cgroup. Disposing of it leaves nothing. */
export class Sandbox implements Confinement {
  readonly pids = new SharedArrayBuffer(8);
  readonly #thread: SandboxThread;
  readonly #group: ProcessGroup;
  readonly #leash = pipe();
  readonly #children: (Child | undefined)[] = [];
  #leashReaderIsOpen = true;
  #programIsTaken = false;

  constructor({ thread, group }: { readonly thread: SandboxThread; readonly group: ProcessGroup }) {
    this.#thread = thread;
    this.#group = group;
  }

  get leash(): number {
    return this.#leash.reader;
  }

  async build(job: SandboxJob, options: Abortable): Promise<void> {
    await this.#thread.run(job, options);
    this.#closeLeashReader();
    await Promise.all(this.#all().map(({ pid }) => this.#group.take(pid)));
  }

  /** The program is the caller's from now on, to wait for and to dispose of. */
  takeProgram(): Child {
    const child = this.#child(pidCells.program);
    if (child === undefined) throw internal('a sandbox was built without a program in it');
    this.#programIsTaken = true;
    return child;
  }

  async killAll(): Promise<void> {
    const children = this.#all();
    this.#group.kill();
    for (const child of children) child.signal('SIGKILL');
    // The first process ends as the last one: the kernel sees to that.
    await Promise.all(children.map((child) => child.ended));
  }

  oomKills(): number {
    return this.#group.oomKills();
  }

  /** Without its first process. */
  usage(): ReturnType<ProcessGroup['usage']> {
    const usage = this.#group.usage();
    return usage && { ...usage, pids: Math.max(0, usage.pids - 1) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread.idle();
    await this.killAll();
    this.#closeLeashReader();
    closeSync(this.#leash.writer);
    for (const [place, child] of this.#children.entries())
      if (place !== pidCells.program || !this.#programIsTaken) child?.[Symbol.dispose]();
    await this.#thread[Symbol.asyncDispose]();
    await this.#group.remove();
  }

  #all(): readonly Child[] {
    return Object.values(pidCells).flatMap((place) => this.#child(place) ?? []);
  }

  #child(place: number): Child | undefined {
    const pid = new Int32Array(this.pids)[place] ?? 0;
    if (pid !== 0) this.#children[place] ??= new Child(pid);
    return this.#children[place];
  }

  #closeLeashReader(): void {
    if (this.#leashReaderIsOpen) closeSync(this.#leash.reader);
    this.#leashReaderIsOpen = false;
  }
}
