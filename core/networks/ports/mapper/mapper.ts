import { conflict, fromErrno, type Logger } from '@gantry/sdk';
import { duplicate, isErrno, listenOn, setSocketOption } from '@gantry/sdk/linux';
import { Here, type Place, Thread } from './places.ts';

/** One published port that this process serves itself. */
export interface MappedPort {
  /** As it is shown: "0.0.0.0:8080". */
  readonly name: string;
  readonly protocol: 'tcp' | 'udp';
  /** The socket that holds the port on the host; it stays the caller's. */
  readonly socket: number;
  readonly family: 4 | 6;
  /** Where in the container. */
  readonly host: string;
  readonly port: number;
}

/** Clients that the kernel keeps for us until they are accepted; Node's own number. */
const backlog = 511;

/**
 * Serves published ports in this process where the kernel cannot, or is not to, map them: a client's bytes go through here, and the container
 * sees the host as its peer. They rest while the engine does.
 */
export class Mapper implements AsyncDisposable {
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

  /**
   * These and no others of an owner. One that is served already goes on; of one that goes, connections end when they end, but when this resolves nobody holds its socket
   * here. From the call on the kernel takes clients for all of them, who wait until they are led on; a port that somebody else listens on is a `conflict`, and nothing is
   * changed then.
   */
  async set(owner: string, ports: readonly MappedPort[]): Promise<void> {
    const before = this.#served.get(owner) ?? new Map<string, number>();
    const isNew = (port: MappedPort): boolean => !before.has(keyOf(port));
    for (const port of ports.filter(isNew)) if (port.protocol === 'tcp') takeClients(port);
    const after = new Map(ports.map((port) => [keyOf(port), before.get(keyOf(port)) ?? this.#open(port)]));
    this.#remember(owner, after);
    const gone = [...before].filter(([key]) => !after.has(key));
    await Promise.all(gone.map(([, id]) => this.#place.close(id, { isGone: false })));
  }

  /** The container is gone: its connections lead nowhere. Resolves when nobody holds its sockets here. */
  async drop(owner: string): Promise<void> {
    const ids = [...(this.#served.get(owner)?.values() ?? [])];
    this.#served.delete(owner);
    await Promise.all(ids.map((id) => this.#place.close(id, { isGone: true })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#served.clear();
    await this.#place[Symbol.asyncDispose]();
  }

  #open({ socket, name: _name, ...port }: MappedPort): number {
    const id = this.#nextId++;
    this.#place.open(id, { ...port, socket: duplicate(socket) });
    return id;
  }

  #remember(owner: string, served: ReadonlyMap<string, number>): void {
    if (served.size === 0) this.#served.delete(owner);
    else this.#served.set(owner, served);
  }

  #failed(id: number, reason: string): void {
    const owner = [...this.#served].find(([, ports]) => [...ports.values()].includes(id))?.[0];
    if (owner === undefined && id !== 0) return; // of one that is being closed
    this.#log.warn({ ...(owner === undefined ? {} : { container: owner }), reason }, 'could not serve a published port');
  }
}

function keyOf({ socket, host, port }: MappedPort): string {
  return `${socket} ${host} ${port}`;
}

function takeClients({ socket, name }: MappedPort): void {
  try {
    // Inherited by connections, whose last minute (TIME_WAIT) would keep the next engine from binding the port.
    setSocketOption(socket, { level: 1, name: 2 /* SO_REUSEADDR */, value: 1 });
    listenOn(socket, backlog);
  } catch (error) {
    if (isErrno(error, 'EADDRINUSE')) throw conflict(`failed to listen on ${name}: address already in use`, { cause: error });
    throw fromErrno(error, `listen on ${name}`);
  }
}
