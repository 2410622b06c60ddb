import type { Container, WaitCondition } from '@gantry/sdk/engine';
import type { HealthMonitor } from './health/monitor.ts';
import type { PendingAttach } from './io/pending.ts';
import type { ContainerDocument, Phase, Run, StateDocument } from './model.ts';

export interface Waiter {
  readonly condition: WaitCondition;
  readonly resolve: (result: { readonly exitCode: number; readonly error?: string }) => void;
}

/** One container in memory: its record and what hangs on it only while this engine runs. Changed by the store and the operations of this room. */
export class Entry {
  readonly id: string;
  name: string;
  document: ContainerDocument;
  state: StateDocument;
  view: Container | undefined;
  readonly waiters = new Set<Waiter>();
  readonly attaching = new Set<PendingAttach>();
  readonly execIds = new Set<string>();
  health: HealthMonitor | undefined;
  restartTimer: NodeJS.Timeout | undefined;
  restartDelayMs = 0;
  /** A user wants the end that comes next: no restart. */
  exitWanted = false;
  /** The run has lost what it works on: whatever it exits with is a failure. */
  hasFailed = false;
  /** Its process is over, and why that could not be recorded so far. */
  unrecordedEnd: string | undefined;

  constructor(id: string, name: string, document: ContainerDocument, state: StateDocument) {
    this.id = id;
    this.name = name;
    this.document = document;
    this.state = state;
  }

  get phase(): Phase {
    return this.state.phase;
  }

  /** Restarts by the policy, with the one that is under way. */
  get restartCount(): number {
    const { phase, restartCount } = this.state;
    const isRestart = phase.kind === 'restarting' || (phase.kind === 'starting' && phase.from === 'restarting');
    return isRestart ? restartCount + 1 : restartCount;
  }

  /** The process that lives now, paused or not. */
  get run(): Run | undefined {
    return this.state.phase.kind === 'running' ? this.state.phase.run : undefined;
  }

  get isPaused(): boolean {
    return this.state.phase.kind === 'running' && this.state.phase.paused;
  }

  /** As Docker counts: a container between two runs counts as running. */
  get isRunning(): boolean {
    const { phase } = this.state;
    return phase.kind === 'running' || phase.kind === 'restarting' || (phase.kind === 'starting' && phase.from === 'restarting');
  }

  /** Wakes those who wait for any of these. Why it did not start is no failure of its removal, which clients would report again. */
  wake(...conditions: readonly WaitCondition[]): void {
    const { exitCode, error } = this.state;
    for (const waiter of this.waiters) {
      if (!conditions.includes(waiter.condition)) continue;
      this.waiters.delete(waiter);
      waiter.resolve({ exitCode, ...(error === '' || waiter.condition === 'removed' ? {} : { error }) });
    }
  }
}
