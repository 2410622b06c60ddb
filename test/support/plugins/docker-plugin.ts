import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';

type Body = Readonly<Record<string, unknown>>;
/** A plugin's answer: an object as JSON, or whatever it does with the response itself. */
export type DockerMethod = (body: Body, response: ServerResponse, request: IncomingMessage) => unknown;

export interface DockerPlugin extends AsyncDisposable {
  /** Methods in the order they were called. */
  readonly calls: readonly string[];
  /** Headers of the last call. */
  readonly headers: IncomingMessage['headers'];
}

/** A refusal, which the plugin answers as `{"Err": …}` with status 500, as Docker's own helpers do. */
export class Refusal extends Error {}

/** A Docker plugin at a unix socket: answers `/Plugin.Activate` with what it implements, and these methods. */
export async function startDockerPlugin(
  socket: string,
  services: readonly string[],
  methods: Readonly<Record<string, DockerMethod>>,
): Promise<DockerPlugin> {
  const calls: string[] = [];
  let headers: IncomingMessage['headers'] = {};
  const all: Readonly<Record<string, DockerMethod>> = { 'Plugin.Activate': () => ({ Implements: services }), ...methods };
  const server = createServer((request, response) => {
    const method = (request.url ?? '').slice(1);
    calls.push(method);
    ({ headers } = request);
    void serve(all[method], request, response);
  });
  mkdirSync(dirname(socket), { recursive: true });
  await listen(server, socket);
  return {
    calls,
    get headers() {
      return headers;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(socket, { force: true });
    },
  };
}

async function serve(method: DockerMethod | undefined, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const text = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString();
  if (method === undefined) return void response.writeHead(404).end('404 page not found\n');
  try {
    const answer = await method(text === '' ? {} : (JSON.parse(text) as Body), response, request);
    if (!response.writableEnded && answer !== undefined) response.end(JSON.stringify(answer));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const field = request.url?.startsWith('/Ipam') === true ? 'Error' : 'Err';
    response.writeHead(500).end(JSON.stringify({ [field]: error.message }));
  }
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, () => resolve());
  });
}
