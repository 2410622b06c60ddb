import type { Logger } from '@gantry/sdk';
import { duplicate, setSocketOption } from '@gantry/sdk/linux';
import { Here, type Place, Thread } from './places.ts';

/** One published port that this process serves itself. */
export interface MappedPort {
  readonly protocol: 'tcp' | 'udp';
  /** The socket that holds the port on the host; it stays the caller's. */
  readonly socket: number;
  readonly family: 4 | 6;
  /** Where in the container. */
  readonly host: string;
  readonly port: number;
}

/**
 * Serves published ports in this process where the kernel cannot, or is not to, map them: a client's bytes go through here, and the container
 * sees the host as its peer. They rest while the engine does.
 */
export class Mapper implements Disposable {
  readonly #place: Place;
  readonly #log: Logger;
  /** By owner the ports that are served, or will be in this turn of the event loop. */
  readonly #served = new Map<string, ReadonlyMap<string, number>>();
  #nextId = 1;

  /** `ownThread`: for what carries much; other ports are served by the event loop of the engine. */
  constructor({ log, ownThread }: { readonly log: Logger; readonly ownThread: boolean }) {
    this.#log = log;
    this.#place = ownThread ? new Thread((id, message) => this.#failed(id, message)) : new Here((id, message) => this.#failed(id, message));
  }

  /** These and no others of an owner. One that is served already goes on; of one that goes, connections end when they end. */
  set(owner: string, ports: readonly MappedPort[]): void {
    const before = this.#served.get(owner) ?? new Map<string, number>();
    const after = new Map<string, number>();
    for (const port of ports) {
      const key = `${port.socket} ${port.host} ${port.port}`;
      const id = before.get(key) ?? this.#open(port);
      after.set(key, id);
    }
    for (const [key, id] of before) if (!after.has(key)) this.#place.close(id, { isGone: false });
    this.#remember(owner, after);
  }

  /** The container is gone: its connections lead nowhere. */
  drop(owner: string): void {
    for (const id of this.#served.get(owner)?.values() ?? []) this.#place.close(id, { isGone: true });
    this.#served.delete(owner);
  }

  [Symbol.dispose](): void {
    for (const owner of this.#served.keys()) this.drop(owner);
    this.#place[Symbol.dispose]();
  }

  #open({ socket, ...port }: MappedPort): number {
    const id = this.#nextId++;
    // Inherited by connections, whose last minute (TIME_WAIT) would keep the next engine from binding the port.
    if (port.protocol === 'tcp') setSocketOption(socket, { level: 1, name: 2 /* SO_REUSEADDR */, value: 1 });
    this.#place.open(id, { ...port, socket: duplicate(socket) });
    return id;
  }

  #remember(owner: string, served: ReadonlyMap<string, number>): void {
    if (served.size === 0) this.#served.delete(owner);
    else this.#served.set(owner, served);
  }

  #failed(id: number, reason: string): void {
    const owner = [...this.#served].find(([, ports]) => [...ports.values()].includes(id))?.[0];
    if (owner !== undefined) this.#log.warn({ container: owner, reason }, 'could not serve a published port');
  }
}
