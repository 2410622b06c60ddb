import { conflict } from '@gantry/sdk';
import type { ExecConfig, ExecInfo, Execs } from '@gantry/sdk/engine';
import { createExec } from './exec/create.ts';
import { type StartExecOptions, startExec } from './exec/start.ts';
import type { Room } from './room.ts';

/** The engine's execs, one line per verb. */
export class ContainerExecs implements Execs {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  async create(container: string, config: ExecConfig): Promise<{ readonly id: string }> {
    const { id } = await createExec(this.#room, this.#room.store.find(container), config);
    return { id };
  }

  start(exec: string, options: StartExecOptions): ReturnType<Execs['start']> {
    return Promise.try(() => startExec(this.#room, this.#room.execs.find(exec), options));
  }

  async resize(exec: string, { rows, columns }: { readonly rows: number; readonly columns: number }): Promise<void> {
    const { id: execId, containerId: id, phase, driver: name } = this.#room.execs.find(exec);
    if (phase.kind !== 'running') throw conflict(`exec ${execId} is not running`);
    const driver = await this.#room.driverNamed(name);
    await driver.resize({ id, execId, rows, columns }, this.#room.context());
  }

  inspect(exec: string): ExecInfo {
    return this.#room.execs.find(exec).info();
  }
}
