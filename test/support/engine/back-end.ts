import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { GantryError } from '@gantry/sdk';
import { MemoryIpamDriver } from '@gantry/sdk/testing';

export interface BackEnd extends AsyncDisposable {
  readonly url: string;
}
interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/** A service on the loopback: what `answer` says to each request, as JSON. */
export async function backEnd(answer: (request: IncomingMessage, body: string) => Promise<Answer>): Promise<BackEnd> {
  const server = createServer((request, response) => {
    void text(request)
      .then((body) => answer(request, body))
      .catch(
        (error: unknown): Answer => ({
          status: GantryError.is(error) ? (statuses[error.code] ?? 500) : 500,
          body: { error: String(error) },
        }),
      )
      .then(({ status, body }) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(body === undefined ? '' : JSON.stringify(body)),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A service that hands out addresses to who knows the token. */
export function addressService(token: string): Promise<BackEnd> {
  const books = new MemoryIpamDriver();
  return backEnd(async ({ method, url = '', headers }, body) => {
    if (headers.authorization !== `Bearer ${token}`) return { status: 401 };
    const [, , poolId = '', kind, owner = ''] = url.split('/').map(decodeURIComponent);
    if (method === 'POST' && poolId === '') return { status: 200, body: await books.requestPool(JSON.parse(body)) };
    if (method === 'POST') return { status: 200, body: await books.requestAddress({ ...JSON.parse(body), poolId }) };
    if (kind === undefined) await books.releasePool({ poolId });
    else await books.releaseAddress({ poolId, owner });
    return { status: 204 };
  });
}

const statuses: Readonly<Record<string, number>> = {
  invalid_argument: 400,
  forbidden: 403,
  not_found: 404,
  already_exists: 409,
  exhausted: 507,
};
