import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Reply = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

export interface ScriptedRegistry extends AsyncDisposable {
  /** "127.0.0.1:port" */
  readonly host: string;
  /** "GET /v2/… authorization", as it came. */
  readonly asked: string[];
}

/** A server on loopback that answers what it is told to, however wrong: replies by "METHOD /path" without the query, or "*". */
export async function scriptedRegistry(replies: Readonly<Record<string, Reply>>, address = '127.0.0.1'): Promise<ScriptedRegistry> {
  const asked: string[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = request;
    asked.push([method, url, headers.authorization].filter((word) => word !== undefined).join(' '));
    const parts: Buffer[] = [];
    try {
      for await (const chunk of request) parts.push(chunk as Buffer);
    } catch {
      return;
    }
    const answer = replies[`${method} ${url.split('?')[0]}`] ?? replies['*'];
    if (answer === undefined) response.writeHead(404).end();
    else answer(request, response, Buffer.concat(parts));
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return {
    host: `${address}:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function reply(status: number, body: string | Buffer | object = '', headers: Readonly<Record<string, string>> = {}): Reply {
  const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return (_request, response) =>
    void response.writeHead(status, { 'content-length': String(Buffer.byteLength(bytes)), ...headers }).end(bytes);
}

/** One reply after the other; the last one stays. */
export function inTurn(...replies: readonly Reply[]): Reply {
  let at = 0;
  return (...given) => replies[Math.min(at++, replies.length - 1)]?.(...given);
}

export function sha256(bytes: string | Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
