import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type Ctx, invalidArgument } from '@gantry/sdk';
import type { ServeRequest, Serving, TlsFiles } from '@gantry/sdk/frontend';
import { Gate } from './authz/gate.ts';
import { isTcp, listen } from './listen.ts';
import { serverFactory } from './server.ts';
import { readTls, type Tls } from './tls.ts';

/** How long short requests may take to end once the server stops. */
const graceMs = 2_000;
const lookMs = 20;

/** Docker's Engine API on every host of the request. When one of them cannot be listened on, none is left listening. */
export async function serve({ engine, hosts: all, socketGroup, tls, authorization = [] }: ServeRequest, { log }: Ctx): Promise<Serving> {
  const hosts = all.filter((host) => /^(unix|fd|tcp):/.test(host));
  const stop = new AbortController();
  await using undo = new AsyncDisposableStack();
  const gate = authorization.length === 0 ? undefined : new Gate({ links: authorization, log, stopping: stop.signal });
  const makeServer = await serverFactory({ engine, log, stopping: stop.signal, gate });
  const use = new Connections();
  for (const host of hosts) {
    const server = makeServer(isTcp(host) ? tlsFor(host, tls) : undefined);
    server.on('connection', (socket) => use.add(socket));
    await listen(server, host, socketGroup);
    undo.defer(() => closed(server, use));
  }
  undo.defer(() => stop.abort(new DOMException('the engine stops', 'AbortError')));
  const serving = undo.move();
  return { addresses: [...hosts], idleMs: () => use.idleMs(), [Symbol.asyncDispose]: () => serving.disposeAsync() };
}

/** Without mutual TLS anyone who reaches the port would be root. */
function tlsFor(host: string, files: TlsFiles | undefined): Tls {
  if (files !== undefined) return readTls(files);
  throw invalidArgument(`refused to listen on ${host}: without mutual TLS anyone who reaches it is root`, {
    hint: 'give the certificates of an authority of your own: --tlsverify --tlscacert FILE --tlscert FILE --tlskey FILE',
  });
}

/** All sockets, also those that were hijacked and that the HTTP server forgot. */
class Connections {
  readonly #open = new Set<Socket>();
  #lastEnded = performance.now();

  add(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#lastEnded = performance.now();
    });
  }

  idleMs(): number {
    return this.#open.size > 0 ? 0 : performance.now() - this.#lastEnded;
  }

  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }
}

/** A connection is idle only once its last answer was sent: they are looked for until none is left. */
async function closed(server: Server, connections: Connections): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  const look = setInterval(() => server.closeIdleConnections(), lookMs);
  const cut = setTimeout(() => connections.cut(), graceMs);
  await ended;
  clearInterval(look);
  clearTimeout(cut);
}
