import assert from 'node:assert/strict';
import { mkdtempDisposableSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { GantryError } from '@gantry/sdk';
import { type Client, connect, parseAddress } from '@gantry/sdk/client';

test('parseAddress() reads sockets and ports', () => {
  assert.deepEqual(['unix:///run/x.sock', '/run/x.sock', 'tcp://h:1', '[::1]:2375'].map(parseAddress), [
    { kind: 'unix', path: '/run/x.sock' },
    { kind: 'unix', path: '/run/x.sock' },
    { kind: 'tcp', host: 'h', port: 1 },
    { kind: 'tcp', host: '::1', port: 2375 },
  ]);
  for (const text of ['', 'unix://x', 'unix://', 'ssh://h', 'npipe:////./x', 'tcp://h', 'h:0', 'h:99999', 'a b:1', `/${'x'.repeat(200)}`]) {
    assert.throws(
      () => parseAddress(text),
      (error) => GantryError.is(error),
      text,
    );
  }
});

test("Client throws the server's own message under the code of its status", async () => {
  await withServer(
    (request, response) => void response.writeHead(Number(request.url?.split('/')[3])).end('{"message":"said so"}'),
    async (client) => {
      const codes = await Promise.all(
        [400, 401, 403, 404, 409, 500, 501, 503].map(async (status) => codeOf(client.containers.inspect(String(status)))),
      );
      assert.deepEqual(
        codes,
        ['invalid_argument', 'unauthorized', 'forbidden', 'not_found', 'conflict', 'internal', 'not_implemented', 'unavailable'].map(
          (code) => `${code}: said so`,
        ),
      );
    },
  );
});

test('Client takes 304 as done', async () => {
  await withServer(
    (_request, response) => void response.writeHead(304).end(),
    async (client) => client.containers.start('x'),
  );
});

test('Client speaks the older version that a server asks for', async () => {
  const paths: (string | undefined)[] = [];
  const answer: RequestListener = (request, response) => {
    paths.push(request.url);
    if (request.url?.startsWith('/v1.51'))
      response.writeHead(400).end('{"message":"client version 1.51 is too new. Maximum supported API version is 1.44"}');
    else response.end('[]');
  };
  await withServer(answer, async (client) => {
    await client.networks.list();
    await client.networks.list();
  });
  assert.deepEqual(paths, ['/v1.51/networks', '/v1.44/networks', '/v1.44/networks']);
});

test('Client asks for the version before it sends what cannot be sent twice', async () => {
  const seen: string[] = [];
  const answer: RequestListener = (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.setHeader('Api-Version', '1.40');
    request.resume().on('end', () => response.end('{"stream":"Loaded image: x"}\n'));
  };
  await withServer(answer, async (client) => {
    const body = (async function* () {
      yield Buffer.from('tar');
    })();
    assert.deepEqual(await Array.fromAsync(client.images.load(body, { quiet: true })), [{ stream: 'Loaded image: x' }]);
  });
  assert.deepEqual(seen, ['HEAD /_ping', 'POST /v1.40/images/load?quiet=true']);
});

test('Client escapes what users type into paths', async () => {
  const paths: (string | undefined)[] = [];
  await withServer(
    (request, response) => {
      paths.push(request.url);
      response.end('{}');
    },
    async (client) => {
      await client.containers.inspect('a/../b?x#y');
      assert.equal(await codeOf(client.containers.inspect('')), 'invalid_argument: a name or id may not be empty');
    },
  );
  assert.deepEqual(paths, ['/v1.51/containers/a%2F..%2Fb%3Fx%23y/json']);
});

test('Client says where nobody answers', async () => {
  const said = await codeOf(connect({ host: 'unix:///nowhere/x.sock' }).system.version());
  assert.equal(said, 'unavailable: cannot connect to the engine at unix:///nowhere/x.sock: is it running?');
});

test('Client throws a failure that comes in the middle of a progress stream', async () => {
  await withServer(
    (_request, response) => void response.end('{"status":"a"}\n{"errorDetail":{"message":"no space"},"error":"no space"}\n'),
    async (client) => assert.equal(await codeOf(Array.fromAsync(client.images.pull({ name: 'x' }))), 'internal: no space'),
  );
});

test('Client gives events their whole nanoseconds', async () => {
  await withServer(
    (_request, response) => void response.end('{"Type":"container","timeNano":1795348013667447753}\n'),
    async (client) =>
      assert.deepEqual(await Array.fromAsync(client.system.events({}), ({ timeNano }) => timeNano), [1_795_348_013_667_447_753n]),
  );
});

test('Client gives up a request when its signal fires', async () => {
  const controller = new AbortController();
  await withServer(
    () => controller.abort(),
    async (client) => assert.equal(await codeOf(client.system.ping({ signal: controller.signal })), 'cancelled: the request was given up'),
  );
});

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no failure';
  } catch (error) {
    return GantryError.is(error) ? `${error.code}: ${error.message}` : String(error);
  }
}

async function withServer(listener: RequestListener, act: (client: Client) => Promise<void>): Promise<void> {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'gantry-client-'));
  const path = join(folder.path, 's');
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await act(connect({ host: `unix://${path}` }));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
