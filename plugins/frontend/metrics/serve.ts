import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { fromErrno, messageOf } from '@gantry/sdk';
import type { Engine } from '@gantry/sdk/engine';
import type { Serving } from '@gantry/sdk/frontend';
import { Numbers } from './numbers.ts';

/** Listens on each `metrics://host:port`; resolves when all are listened on. Whoever asks keeps no engine from ending when it is idle. */
export async function serveNumbers(engine: Engine, hosts: readonly string[]): Promise<Serving> {
  const numbers = new Numbers(engine);
  await using opened = new AsyncDisposableStack();
  opened.use(numbers);
  for (const host of hosts) {
    const server = createServer((request, response) => void answer(numbers, request, response));
    await listen(server, host);
    opened.defer(() => close(server));
  }
  const kept = opened.move();
  return { addresses: hosts, idleMs: () => Number.POSITIVE_INFINITY, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function answer(numbers: Numbers, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const isAsked = request.method === 'GET' && request.url?.split('?', 1)[0] === '/metrics';
  if (!isAsked) return void response.writeHead(404, { 'Content-Type': 'text/plain' }).end('GET /metrics is all there is\n');
  try {
    const text = await numbers.text();
    response.writeHead(200, { 'Content-Type': numbers.contentType }).end(text);
  } catch (error) {
    response.writeHead(500, { 'Content-Type': 'text/plain' }).end(`${messageOf(error)}\n`);
  }
}

function listen(server: Server, address: string): Promise<void> {
  const [, host = '', port = ''] = /^metrics:\/\/\[?([^\]]+)\]?:(\d+)$/.exec(address) ?? [];
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(fromErrno(error, `listening on ${address}`)));
    server.listen({ host, port: Number(port) }, resolve);
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
