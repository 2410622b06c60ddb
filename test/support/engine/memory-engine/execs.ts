import { conflict, invalidArgument, notFound } from '@gantry/sdk';
import type { ExecInfo, Execs } from '@gantry/sdk/engine';
import { newId } from './container.ts';
import type { MemoryContainers } from './containers.ts';
import { MemoryProcess } from './process.ts';

export class MemoryExecs implements Execs {
  readonly #all = new Map<string, ExecInfo>();
  readonly #containers: MemoryContainers;

  constructor(containers: MemoryContainers) {
    this.#containers = containers;
  }

  create: Execs['create'] = async (container, config) => {
    const { document } = this.#containers.running(container);
    if (document.state.paused) throw conflict(`container ${document.id} is paused, unpause the container before exec`);
    const id = newId();
    this.#all.set(id, { id, containerId: document.id, config, running: false, exitCode: null, pid: 0, canRemove: false });
    return { id };
  };

  start: Execs['start'] = async (id, { detach, signal }) => {
    const info = this.inspect(id);
    if (info.running || info.exitCode !== null) throw conflict(`exec ${id} has already run`);
    const { config } = info;
    const process = new MemoryProcess({ tty: config.tty ?? false, onOutput: () => {} });
    const attached = process.attach({
      stdin: config.attachStdin ?? false,
      stdout: config.attachStdout ?? false,
      stderr: config.attachStderr ?? false,
      signal,
    });
    this.#all.set(id, { ...info, running: true, pid: 4_243 });
    const ended = (exitCode: number) => void this.#all.set(id, { ...info, running: false, exitCode, pid: 0, canRemove: true });
    const running = process.run(config.cmd);
    const failure = await Promise.race([
      running.then(
        () => undefined,
        (error: unknown) => error,
      ),
      new Promise((resolve) => setImmediate(resolve)),
    ]);
    if (failure !== undefined) {
      ended(127);
      throw failure instanceof Error ? failure : new TypeError('a program failed without an error', { cause: failure });
    }
    void running.then(ended);
    return detach ? {} : { attached };
  };

  resize: Execs['resize'] = async (id) => {
    if (!this.inspect(id).running) throw conflict(`exec ${id} is not running`);
  };

  inspect(id: string): ExecInfo {
    if (id === '') throw invalidArgument('no exec id');
    const info = this.#all.get(id);
    if (info === undefined) throw notFound(`No such exec instance: ${id}`);
    return info;
  }
}
