import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type Ctx, invalidArgument } from '@gantry/sdk';
import type { ServeRequest, Serving } from '@gantry/sdk/frontend';
import { listen } from './listen.ts';
import { serverFactory } from './server.ts';

/** How long short requests may take to end once the server stops. */
const graceMs = 2_000;

/** Docker's Engine API on every host of the request. When one of them cannot be listened on, none is left listening. */
export async function serve({ engine, hosts, socketGroup }: ServeRequest, { log }: Ctx): Promise<Serving> {
  if (hosts.length === 0) throw invalidArgument('no host to listen on');
  const stop = new AbortController();
  await using undo = new AsyncDisposableStack();
  const makeServer = await serverFactory({ engine, log, stopping: stop.signal });
  const use = new Connections();
  for (const host of hosts) {
    const server = makeServer();
    server.on('connection', (socket) => use.add(socket));
    await listen(server, host, socketGroup);
    undo.defer(() => closed(server));
  }
  undo.defer(() => stop.abort(new DOMException('the engine stops', 'AbortError')));
  const serving = undo.move();
  return { addresses: [...hosts], idleMs: () => use.idleMs(), [Symbol.asyncDispose]: () => serving.disposeAsync() };
}

class Connections {
  #open = 0;
  #lastEnded = performance.now();

  add(socket: Socket): void {
    this.#open += 1;
    socket.once('close', () => {
      this.#open -= 1;
      this.#lastEnded = performance.now();
    });
  }

  idleMs(): number {
    return this.#open > 0 ? 0 : performance.now() - this.#lastEnded;
  }
}

async function closed(server: Server): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await ended;
  clearTimeout(cut);
}
