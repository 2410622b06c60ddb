import { randomBytes } from 'node:crypto';
import type { Attached, AttachOptions, Container, ContainerState, CreateContainer, LogLine, WaitCondition } from '@gantry/sdk/engine';
import { conflict, notModified } from '@gantry/sdk';
import { MemoryProcess } from './process.ts';

const never = '0001-01-01T00:00:00Z';
export const now = () => new Date().toISOString().replace('Z', '000000Z');
export const newId = () => randomBytes(32).toString('hex');

export interface Hooks {
  /** Called after every change of the document. */
  changed(): void;
  event(action: string, attributes?: Readonly<Record<string, string>>): void;
  removeSelf(): void;
}

interface Exit {
  readonly exitCode: number;
  readonly error?: string;
}

/** One container of the memory engine: its document and, while it runs, its process. */
export class MemoryContainer {
  readonly #hooks: Hooks;
  readonly #waiters = new Set<{ readonly condition: WaitCondition; readonly resolve: (exit: Exit) => void }>();
  readonly lines: LogLine[] = [];
  readonly #followers = new Set<() => void>();
  document: Container;
  process: MemoryProcess;
  files = new Map<string, Buffer>();
  size = { rows: 0, columns: 0 };

  constructor({ name, config, hostConfig, platform = 'linux' }: CreateContainer, imageId: string, hooks: Hooks) {
    this.#hooks = hooks;
    const command = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
    const id = newId();
    this.document = {
      id,
      name: name ?? `memory_${id.slice(0, 8)}`,
      created: now(),
      path: command[0] ?? '',
      args: command.slice(1),
      config: { Hostname: id.slice(0, 12), ...config },
      hostConfig: { NetworkMode: 'bridge', ...hostConfig },
      state: createdState,
      imageId,
      platform,
      graphDriver: 'memory',
      graphData: {},
      restartCount: 0,
      execIds: [],
      mounts: [],
      networks: [],
      ports: {},
      sandboxKey: '',
      paths: { resolvConf: '', hosts: '', hostname: '', log: '' },
      appArmorProfile: '',
    };
    this.process = this.#newProcess();
  }

  start(): void {
    const { state, path, args } = this.document;
    if (state.running) throw notModified('it runs already');
    const running = this.process.run([path, ...args]);
    this.setState({ ...createdState, status: 'running', running: true, pid: 4_242, startedAt: now() });
    this.#hooks.event('start');
    running.then(
      (exitCode) => this.#exited({ exitCode }),
      (error: unknown) => this.#exited({ exitCode: 127, error: String(error) }),
    );
  }

  kill(signal: number): void {
    if (!this.document.state.running) throw conflict(`container ${this.document.id} is not running`);
    this.process.kill(signal);
  }

  async stop(signal: number): Promise<void> {
    if (!this.document.state.running) throw notModified('it does not run');
    const exited = this.wait('next-exit');
    this.process.kill(signal);
    await exited;
    this.#hooks.event('stop');
  }

  wait(condition: WaitCondition): Promise<Exit> {
    const { running, exitCode } = this.document.state;
    if (condition === 'not-running' && !running) return Promise.resolve({ exitCode });
    return new Promise((resolve) => this.#waiters.add({ condition, resolve }));
  }

  attach({ stdin, stdout, stderr, signal }: AttachOptions): Attached {
    return this.process.attach({ stdin, stdout, stderr, signal });
  }

  setState(state: ContainerState): void {
    this.update({ state });
  }

  update(fields: Partial<Container>): void {
    this.document = { ...this.document, ...fields };
    this.#hooks.changed();
  }

  removed(): void {
    this.#resolve(['removed', 'next-exit', 'not-running'], { exitCode: this.document.state.exitCode });
    this.#hooks.event('destroy');
  }

  /** Resolves at the next line or at the exit. */
  changed(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      this.#followers.add(resolve);
      signal?.addEventListener('abort', () => resolve());
    });
  }

  #exited({ exitCode, error = '' }: Exit): void {
    const { state } = this.document;
    this.process = this.#newProcess();
    this.setState({ ...state, status: 'exited', running: false, paused: false, pid: 0, exitCode, error, finishedAt: now() });
    this.#hooks.event('die', { exitCode: String(exitCode) });
    this.#wakeFollowers();
    this.#resolve(['not-running', 'next-exit'], { exitCode });
    if (this.document.hostConfig.AutoRemove === true) this.#hooks.removeSelf();
  }

  #resolve(conditions: readonly WaitCondition[], exit: Exit): void {
    for (const waiter of this.#waiters) {
      if (!conditions.includes(waiter.condition)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(exit);
    }
  }

  #newProcess(): MemoryProcess {
    return new MemoryProcess({
      tty: this.document?.config.Tty ?? false,
      onOutput: ({ source, data }) => {
        const milliseconds = Date.now();
        const time = { seconds: Math.floor(milliseconds / 1e3), nanos: (milliseconds % 1e3) * 1e6 };
        this.lines.push({ source, time, data });
        this.#wakeFollowers();
      },
    });
  }

  #wakeFollowers(): void {
    for (const wake of this.#followers) wake();
    this.#followers.clear();
  }
}

const createdState: ContainerState = {
  status: 'created',
  running: false,
  paused: false,
  restarting: false,
  oomKilled: false,
  dead: false,
  pid: 0,
  exitCode: 0,
  error: '',
  startedAt: never,
  finishedAt: never,
};
