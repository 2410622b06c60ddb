import { createServer, request as httpRequest } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface ForwardProxy extends AsyncDisposable {
  /** "http://127.0.0.1:port" */
  readonly url: string;
  /** "GET http://…" and "CONNECT host:port", with the Proxy-Authorization that came. */
  readonly asked: string[];
}

/** A proxy on loopback as RFC 9110 has them: forwards what is plain, tunnels what is not. */
export async function forwardProxy(): Promise<ForwardProxy> {
  const asked: string[] = [];
  const open = new Set<Socket>();
  const server = createServer((request, response) => {
    asked.push([request.method, request.url, request.headers['proxy-authorization']].filter((word) => word !== undefined).join(' '));
    const forwarded = httpRequest(request.url ?? '', { method: request.method, headers: request.headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.on('error', () => response.writeHead(502).end());
    request.pipe(forwarded);
  });
  server.on('connect', (request, client: Socket) => {
    asked.push(`CONNECT ${request.url}`);
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const registry = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      registry.pipe(client).pipe(registry);
    });
    for (const socket of [client, registry]) {
      open.add(socket);
      socket.on('error', () => undefined).on('close', () => (client.destroy(), registry.destroy()));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
