import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';

/** A bound socket of the host's, which is taken over, and where in a container its clients are led. */
export interface Listening {
  readonly protocol: 'tcp' | 'udp';
  readonly socket: number;
  /** Of the socket's own address. */
  readonly family: 4 | 6;
  readonly host: string;
  readonly port: number;
}
export interface Listener {
  /** Takes no more clients; connections go on until they end. */
  close(): void;
  /** Ends its connections, too. */
  destroy(): void;
}

/** As in Docker: a client that was silent for so long is forgotten. */
const datagramSilenceMs = 90_000;
/** Datagrams carry no connection whose end could be seen. */
const mostClients = 4_096;

/** Serves the clients of one published port. `onError`: the port can take none (somebody else listens on it). */
export function listen(given: Listening, onError: (error: Error) => void): Listener {
  return given.protocol === 'tcp' ? listenTcp(given, onError) : listenUdp(given, onError);
}

function listenTcp({ socket: fd, host, port }: Listening, onError: (error: Error) => void): Listener {
  const open = new Set<Socket>();
  const keep = (socket: Socket): void => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const target = connect({ host, port, allowHalfOpen: true, noDelay: true });
    for (const socket of [client, target]) keep(socket);
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      one.pipe(other);
      // A reset is passed on as one, so that the other end does not take it for the end of the data.
      one.on('error', () => other.resetAndDestroy());
    }
  });
  server.on('error', onError);
  server.listen({ fd });
  server.unref();
  return {
    close: () => server.close(),
    destroy: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

interface Client {
  readonly target: UdpSocket;
  readonly silence: NodeJS.Timeout;
}

function listenUdp({ socket: fd, family, host, port }: Listening, onError: (error: Error) => void): Listener {
  const kind = host.includes(':') ? 'udp6' : 'udp4';
  const clients = new Map<string, Client>();
  const server = createSocket(family === 4 ? 'udp4' : 'udp6');
  const serve = (from: RemoteInfo): Client => {
    const key = `${from.address} ${from.port}`;
    const target = createSocket(kind);
    const forget = (): void => {
      clients.delete(key);
      clearTimeout(client.silence);
      target.close();
    };
    const client = { target, silence: setTimeout(forget, datagramSilenceMs).unref() };
    target.on('message', (data) => {
      client.silence.refresh();
      server.send(data, from.port, from.address);
    });
    target.on('error', forget);
    target.unref();
    clients.set(key, client);
    return client;
  };
  server.on('message', (data, from) => {
    const known = clients.get(`${from.address} ${from.port}`);
    if (known === undefined && clients.size >= mostClients) return;
    const client = known ?? serve(from);
    client.silence.refresh();
    client.target.send(data, port, host, ignoreLost);
  });
  server.on('error', onError);
  server.bind({ fd });
  server.unref();
  const destroy = (): void => {
    server.close();
    for (const { target, silence } of clients.values()) {
      clearTimeout(silence);
      target.close();
    }
    clients.clear();
  };
  return { close: destroy, destroy };
}

/** A datagram that goes nowhere (ECONNREFUSED) is lost, as datagrams are. */
function ignoreLost(): void {}
