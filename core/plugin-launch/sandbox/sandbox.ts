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
  readonly #keepAlive: boolean;
  readonly #leash = pipe();
  #leashWriterIsOpen = true;
  readonly #children: (Child | undefined)[] = [];
  #leashReaderIsOpen = true;
  #programIsTaken = false;

  /** `keepAlive` false: its processes do not keep the engine from ending. */
  constructor({
    thread,
    group,
    keepAlive = true,
  }: { readonly thread: SandboxThread; readonly group: ProcessGroup; readonly keepAlive?: boolean }) {
    this.#thread = thread;
    this.#group = group;
    this.#keepAlive = keepAlive;
  }

  get leash(): number {
    return this.#leash.reader;
  }

  /** For a program that is to hold the leash itself, as one of its descriptors: then nobody else does, from `letGo` on. */
  get leashHolder(): number {
    return this.#leash.writer;
  }

  letGo(): void {
    if (this.#leashWriterIsOpen) closeSync(this.#leash.writer);
    this.#leashWriterIsOpen = false;
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
    this.letGo();
    for (const [place, child] of this.#children.entries())
      if (place !== pidCells.program || !this.#programIsTaken) child?.[Symbol.dispose]();
    await this.#thread[Symbol.asyncDispose]();
    await this.#group.remove();
  }

  /** The program and what is around it go on without this engine. As long as this process lives it reaps them. After `letGo` and `takeProgram`. */
  async leave(): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
    for (const child of this.#all()) void child.ended.then(() => child[Symbol.dispose]());
  }

  #all(): readonly Child[] {
    return Object.values(pidCells).flatMap((place) => this.#child(place) ?? []);
  }

  #child(place: number): Child | undefined {
    const pid = new Int32Array(this.pids)[place] ?? 0;
    if (pid !== 0) this.#children[place] ??= new Child(pid, { keepAlive: this.#keepAlive });
    return this.#children[place];
  }

  #closeLeashReader(): void {
    if (this.#leashReaderIsOpen) closeSync(this.#leash.reader);
    this.#leashReaderIsOpen = false;
  }
}
