import { closeSync } from 'node:fs';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server as TcpServer, type Socket } from 'node:net';
import { type Logger, messageOf } from '@gantry/sdk';
import { boundSocketIn, nft, NftPlace, openNetns } from '@gantry/sdk/linux';
import type { NetworkBooks } from '../books.ts';
import type { NetworkDefaults } from '../defaults.ts';
import { embeddedServer, wishedResolvConf } from '../files/resolv-conf.ts';
import type { NetworkedContainer } from '../types.ts';
import { answerFromZone, type Asked, fitUdp, isBareName, readQuestion, refusal } from './answer.ts';
import { Forwarder, framed, type Transport } from './forwarder.ts';
import { NamesOfNetworks, type Zone } from './zone.ts';

export interface ServeRequest {
  readonly container: NetworkedContainer;
  /** The networks whose names it sees. */
  readonly networkIds: readonly string[];
  readonly netnsPath: string;
}

interface Served {
  readonly udp: UdpSocket;
  readonly tcp: TcpServer;
  readonly connections: Set<Socket>;
  zone: Zone;
  servers: readonly string[];
  /** The container's resolver adds search domains to names without dots (ndots): such a name alone is nobody's outside. */
  keepsBareNames: boolean;
}

const idleTcpMs = 10_000;
const mostConnections = 64;

/**
 * The name servers at 127.0.0.11, one per container on networks with names: two sockets of its namespace in this process's event loop.
 * They listen on ports that the kernel chose, so that the container may have port 53 to itself; a rule inside leads there.
 */
export class DnsServers {
  readonly #books: NetworkBooks;
  readonly #names: NamesOfNetworks;
  readonly #log: Logger;
  readonly #defaults: NetworkDefaults;
  readonly #served = new Map<string, Served>();
  readonly #forwarder = new Forwarder();
  /** The servers' sockets are what fills the descriptors below 1,024. */
  readonly #place = new NftPlace();

  constructor({ books, log, defaults }: { readonly books: NetworkBooks; readonly log: Logger; readonly defaults: NetworkDefaults }) {
    this.#books = books;
    this.#log = log;
    this.#defaults = defaults;
    this.#names = new NamesOfNetworks(books);
  }

  /** Starts a container's server; when it runs already, it takes over the new list of networks. */
  async serve({ container, networkIds, netnsPath }: ServeRequest): Promise<void> {
    const zone = this.#names.zone(container.id, networkIds);
    const upstream = this.#upstream(container);
    const running = this.#served.get(container.id);
    if (running !== undefined) {
      Object.assign(running, { zone, ...upstream });
      return;
    }
    const netns = openNetns(netnsPath);
    try {
      const [udpFd, tcpFd] = openBoth(netns);
      const served: Served = { udp: createSocket('udp4'), tcp: createServer(), connections: new Set(), zone, ...upstream };
      this.#served.set(container.id, served);
      await Promise.all([listenUdp(served, udpFd), listenTcp(served, tcpFd)]);
      this.#place.use(() => redirect(netns, served.udp.address().port, portOf(served.tcp)));
      this.#answer(served, container.id);
    } catch (error) {
      this.close(container.id);
      throw error;
    } finally {
      closeSync(netns);
    }
  }

  /** The container lives on without networks that have names: its server stays, and knows none. Starting it again would cost 20 ms. */
  withdraw(containerId: string): void {
    const served = this.#served.get(containerId);
    if (served !== undefined) served.zone = this.#names.zone(containerId, []);
  }

  close(containerId: string): void {
    const served = this.#served.get(containerId);
    if (served === undefined) return;
    this.#served.delete(containerId);
    for (const connection of served.connections) connection.destroy();
    served.tcp.close();
    served.udp.close();
  }

  /** Nobody is served after it. */
  closeAll(): void {
    this.#place[Symbol.dispose]();
    for (const containerId of this.#served.keys()) this.close(containerId);
  }

  #answer(served: Served, containerId: string): void {
    served.udp.on('message', (message, { port, address }) => {
      this.#reply(message, containerId, served, 'udp')
        .then((answer) => answer && this.#served.has(containerId) && served.udp.send(answer, port, address))
        .catch((error: unknown) => this.#log.warn({ container: containerId, reason: messageOf(error) }, 'a DNS question went unanswered'));
    });
    served.tcp.on('connection', (connection) => this.#converse(connection, containerId, served));
  }

  #converse(connection: Socket, containerId: string, served: Served): void {
    if (served.connections.size >= mostConnections) {
      connection.destroy();
      return;
    }
    served.connections.add(connection);
    let received = Buffer.alloc(0);
    connection.setTimeout(idleTcpMs, () => connection.destroy());
    connection.on('error', () => connection.destroy());
    connection.on('close', () => served.connections.delete(connection));
    connection.on('data', (part: Buffer) => {
      received = Buffer.concat([received, part]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE()) {
        const end = 2 + received.readUInt16BE();
        const message = Buffer.from(received.subarray(2, end));
        received = received.subarray(end);
        this.#reply(message, containerId, served, 'tcp')
          .then((answer) => (answer === undefined ? connection.destroy() : connection.write(framed(answer))))
          .catch(() => connection.destroy());
      }
    });
  }

  async #reply(message: Buffer, containerId: string, served: Served, transport: Transport): Promise<Buffer | undefined> {
    const asked = readQuestion(message);
    if (asked === undefined) return undefined;
    const answer = answerFromZone(asked, served.zone) ?? (await this.#forward(message, asked, containerId, served, transport));
    return transport === 'udp' ? fitUdp(answer, asked) : answer;
  }

  async #forward(message: Buffer, asked: Asked, containerId: string, served: Served, transport: Transport): Promise<Buffer> {
    if (served.keepsBareNames && isBareName(asked)) return refusal(asked, 'nameError');
    if (!this.#mayLeave(containerId)) return refusal(asked, 'serverFailure');
    const answer = await this.#forwarder.ask(message, served.servers, transport);
    return answer ?? refusal(asked, 'serverFailure');
  }

  /** A container that is on internal networks only must not reach the outside by asking for names either (CVE-2024-29018). */
  #mayLeave(containerId: string): boolean {
    return this.#books
      .endpointsOf(containerId)
      .some(({ networkId }) => this.#books.byId(networkId)?.document.plan.network.internal === false);
  }

  #upstream({ hostConfig }: NetworkedContainer): Pick<Served, 'servers' | 'keepsBareNames'> {
    const { nameservers, options } = wishedResolvConf(hostConfig, { defaults: this.#defaults, behindStub: false });
    return {
      servers: nameservers.filter((server) => server !== embeddedServer),
      keepsBareNames: options.some((option) => /^ndots:0*[1-9]/.test(option)),
    };
  }
}

/** A new namespace has no such table; one that an earlier engine served has, and taking that away costs 10 ms. */
function redirect(netns: number, udpPort: number, tcpPort: number): void {
  const table = `create table ip gantry
add chain ip gantry output { type nat hook output priority -100; policy accept; }
add rule ip gantry output ip daddr ${embeddedServer} udp dport 53 dnat to ${embeddedServer}:${udpPort}
add rule ip gantry output ip daddr ${embeddedServer} tcp dport 53 dnat to ${embeddedServer}:${tcpPort}`;
  try {
    nft(netns, table);
  } catch {
    nft(netns, `table ip gantry\ndelete table ip gantry\n${table}`);
  }
}

function openBoth(netns: number): readonly [number, number] {
  const udp = boundSocketIn(netns, { kind: 'udp', ip: embeddedServer, port: 0 });
  try {
    return [udp, boundSocketIn(netns, { kind: 'tcp', ip: embeddedServer, port: 0 })];
  } catch (error) {
    closeSync(udp);
    throw error;
  }
}

function listenUdp({ udp }: Served, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    udp.once('error', reject);
    udp.bind({ fd }, () => {
      udp.off('error', reject).on('error', () => {}); // an unreachable client's ICMP; the socket lives on
      udp.unref();
      resolve();
    });
  });
}

function listenTcp({ tcp }: Served, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    tcp.once('error', reject);
    tcp.listen({ fd }, () => {
      tcp.off('error', reject).on('error', () => {});
      tcp.unref();
      resolve();
    });
  });
}

function portOf(server: TcpServer): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('the socket has no port');
  return address.port;
}
