import { notFound } from '@gantry/sdk';
import type { ExecConfig, ExecInfo } from '@gantry/sdk/engine';
import type { Streams } from '@gantry/sdk/exec';

/** What an exec is doing. */
export type ExecPhase =
  | { readonly kind: 'created' }
  | { readonly kind: 'running'; readonly pid: number; readonly streams: Streams }
  | { readonly kind: 'ended'; readonly exitCode: number };

/** One exec, known while this engine runs. */
export class ExecEntry {
  readonly id: string;
  readonly containerId: string;
  readonly config: ExecConfig;
  /** Its container's, which may be gone before it is forgotten. */
  readonly driver: string;
  /** Resolves when it has ended. */
  readonly ended = Promise.withResolvers<number>();
  phase: ExecPhase = { kind: 'created' };
  isStarted = false;
  readonly createdAt = performance.now();

  constructor({ id, containerId, config, driver }: Pick<ExecEntry, 'id' | 'containerId' | 'config' | 'driver'>) {
    this.id = id;
    this.containerId = containerId;
    this.config = config;
    this.driver = driver;
  }

  info(): ExecInfo {
    const { id, containerId, config, phase } = this;
    return {
      id,
      containerId,
      config,
      running: phase.kind === 'running',
      exitCode: phase.kind === 'ended' ? phase.exitCode : null,
      pid: phase.kind === 'running' ? phase.pid : 0,
      canRemove: false,
    };
  }
}

/** All execs by id; an ended one is forgotten after a while. */
export class ExecTable {
  readonly #entries = new Map<string, ExecEntry>();

  add(entry: ExecEntry): void {
    this.#entries.set(entry.id, entry);
  }

  find(id: string): ExecEntry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw notFound(`No such exec instance: ${id}`);
    return entry;
  }

  known(id: string): ExecEntry | undefined {
    return this.#entries.get(id);
  }

  remove(id: string): void {
    this.#entries.delete(id);
  }

  /** How many of these were not ended; ones that nobody started for so long are forgotten. */
  countWaiting(execIds: Iterable<string>, forgottenAfterMs: number): number {
    let count = 0;
    for (const id of execIds) {
      const exec = this.#entries.get(id);
      if (exec === undefined || exec.phase.kind === 'ended') continue;
      if (!exec.isStarted && performance.now() - exec.createdAt > forgottenAfterMs) this.#entries.delete(id);
      else count += 1;
    }
    return count;
  }

  ofContainer(containerId: string): readonly ExecEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.containerId === containerId);
  }
}
