import { closeSync } from 'node:fs';
import { conflict, exhausted, GantryError, invalidArgument } from '@gantry/sdk';
import { boundSocketIn, isErrno } from '@gantry/sdk/linux';
import type { PublishedPort } from '../documents.ts';
import { portUser } from './port-user.ts';
import type { PortWish } from './port-wishes.ts';

/** Where ports are chosen from; the kernel's own ephemeral range, ip_local_port_range. */
const firstEphemeral = 32_768;
const lastEphemeral = 60_999;

interface Held extends PublishedPort {
  readonly owner: string;
  readonly socket: number | undefined;
}

/**
 * The host's ports that containers publish. Each is bound (not listened on) by the engine as long as it is published, so that whoever
 * comes second, container or other program, learns it at once; the packets themselves never reach the socket.
 */
export class PortBooks {
  readonly #nameOf: (owner: string) => string | undefined;
  readonly #held = new Map<string, Held[]>();
  #next = firstEphemeral + Math.floor(Math.random() * (lastEphemeral - firstEphemeral));

  /** `nameOf`: what an owner is called, for whoever finds its port taken. */
  constructor(nameOf: (owner: string) => string | undefined = () => undefined) {
    this.#nameOf = nameOf;
  }

  /** Takes one host port on all of `hostIps`, or none. Taken by a container or by another program: `conflict`. */
  take(owner: string, wish: PortWish, hostIps: readonly string[]): readonly PublishedPort[] {
    const isChosen = wish.hostPort === 0;
    const candidates = isChosen ? this.#ephemeral() : between(wish.hostPort, wish.hostPortEnd);
    let last: unknown;
    for (const hostPort of candidates) {
      try {
        return this.#bindAll(owner, { ...wish, hostPort }, { hostIps, isChosen });
      } catch (error) {
        if (!GantryError.is(error) || error.code !== 'conflict') throw error;
        last = error;
      }
    }
    if (!isChosen && wish.hostPort === wish.hostPortEnd) throw last;
    throw exhausted(
      isChosen
        ? `no free host port from ${firstEphemeral} to ${lastEphemeral}`
        : `all ports are allocated: ${wish.hostPort}-${wish.hostPortEnd}`,
      { cause: last },
    );
  }

  /** Takes back exactly these after a restart of the engine; what somebody else took meanwhile is answered. */
  retake(owner: string, ports: readonly PublishedPort[]): readonly PublishedPort[] {
    return ports.filter((port) => {
      try {
        this.#bind(owner, port);
        return false;
      } catch {
        return true;
      }
    });
  }

  /** The socket that holds a port of an owner; undefined when there is none (SCTP, or a family that this machine lacks). */
  socketOf(owner: string, port: PublishedPort): number | undefined {
    return this.#held.get(keyOf(port))?.find((held) => held.owner === owner && held.hostIp === port.hostIp)?.socket;
  }

  /** Of an owner these alone; those that take none of the host's are passed over. */
  giveBack(owner: string, ports: readonly PublishedPort[]): void {
    for (const port of ports) if (port.hostPort !== 0) this.#unbind(owner, port);
  }

  release(owner: string): void {
    for (const [key, held] of this.#held) {
      for (const port of held) if (port.owner === owner && port.socket !== undefined) closeSync(port.socket);
      const others = held.filter((port) => port.owner !== owner);
      if (others.length === 0) this.#held.delete(key);
      else this.#held.set(key, others);
    }
  }

  #bindAll(
    owner: string,
    wish: PortWish,
    { hostIps, isChosen }: { readonly hostIps: readonly string[]; readonly isChosen: boolean },
  ): readonly PublishedPort[] {
    const done: PublishedPort[] = [];
    const { protocol, containerPort, hostPort } = wish;
    try {
      for (const hostIp of hostIps) {
        const port = { protocol, containerPort, hostIp, hostPort, ...(isChosen ? { isChosen } : {}) };
        this.#bind(owner, port);
        done.push(port);
      }
      return done;
    } catch (error) {
      for (const port of done) this.#unbind(owner, port);
      throw error;
    }
  }

  #bind(owner: string, port: PublishedPort): void {
    const key = keyOf(port);
    const held = this.#held.get(key) ?? [];
    const other = held.find(({ hostIp }) => clashes(hostIp, port.hostIp));
    if (other !== undefined) {
      const name = this.#nameOf(other.owner);
      throw conflict(`Bind for ${shown(port)} failed: port is already allocated${name === undefined ? '' : ` to container ${name}`}`);
    }
    this.#held.set(key, [...held, { ...port, owner, socket: bind(port) }]);
  }

  #unbind(owner: string, port: PublishedPort): void {
    const held = this.#held.get(keyOf(port)) ?? [];
    const gone = held.find((other) => other.owner === owner && other.hostIp === port.hostIp);
    if (gone?.socket !== undefined) closeSync(gone.socket);
    const others = held.filter((other) => other !== gone);
    if (others.length === 0) this.#held.delete(keyOf(port));
    else this.#held.set(keyOf(port), others);
  }

  *#ephemeral(): Generator<number> {
    for (let tries = 0; tries <= lastEphemeral - firstEphemeral; tries += 1) {
      yield this.#next;
      this.#next = this.#next >= lastEphemeral ? firstEphemeral : this.#next + 1;
    }
  }
}

/** Undefined for SCTP, whose sockets not every kernel has: the books alone know of it. */
function bind({ protocol, hostIp, hostPort }: PublishedPort): number | undefined {
  if (protocol === 'sctp') return undefined;
  const options = { kind: protocol, ip: hostIp, port: hostPort };
  const doing = `failed to bind host port ${shown({ hostIp, hostPort })}/${protocol}`;
  try {
    return boundSocketIn(undefined, { ...options, isReusable: false });
  } catch (error) {
    if (isErrno(error, 'EADDRNOTAVAIL')) throw invalidArgument(`${doing}: cannot assign requested address`, { cause: error });
    if (isErrno(error, 'EAFNOSUPPORT')) return undefined;
    if (!isErrno(error, 'EADDRINUSE')) throw error;
    return bindBesideOldConnections(options, doing);
  }
}

/** A server that has just ended leaves connections in TIME_WAIT, which are no reason to refuse. */
function bindBesideOldConnections(options: Parameters<typeof boundSocketIn>[1], doing: string): number {
  try {
    if (options.kind === 'tcp') return boundSocketIn(undefined, options);
  } catch (cause) {
    throw taken(options, doing, cause);
  }
  throw taken(options, doing);
}

function taken({ kind, port }: Parameters<typeof boundSocketIn>[1], doing: string, cause?: unknown): GantryError {
  const user = portUser(kind, port);
  return conflict(`${doing}: address already in use${user === undefined ? '' : ` by ${user}`}`, { cause });
}

function keyOf({ protocol, hostPort }: Pick<PublishedPort, 'protocol' | 'hostPort'>): string {
  return `${protocol}/${hostPort}`;
}

function clashes(one: string, other: string): boolean {
  if (one.includes(':') !== other.includes(':')) return false;
  const any = one.includes(':') ? '::' : '0.0.0.0';
  return one === other || one === any || other === any;
}

function shown({ hostIp, hostPort }: Pick<PublishedPort, 'hostIp' | 'hostPort'>): string {
  return hostIp.includes(':') ? `[${hostIp}]:${hostPort}` : `${hostIp}:${hostPort}`;
}

function between(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
