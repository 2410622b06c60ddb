import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { download } from '@gantry/sdk/transport';

/** Answers every connection with these bytes, and closes it. */
async function serving(answer: (host: string) => string | Buffer): Promise<{ readonly url: URL } & AsyncDisposable> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer(`127.0.0.1:${(server.address() as AddressInfo).port}`)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x?y`);
  return { url, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

const signal = new AbortController().signal;
const whole = Buffer.concat([
  Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n'),
  Buffer.alloc(1_000_000, 'x'),
]);

test('download() gives all of an answer whose connection was closed before anybody read', async () => {
  await using server = await serving(() => whole);
  const { body, headers } = await download(server.url, { signal });
  await sleep(200);
  let size = 0;
  for await (const chunk of body) size += chunk.length;
  assert.deepEqual([size, headers['content-length']], [1_000_000, '1000000']);
});

for (const [what, answer, code, message] of [
  [
    'no success',
    () => 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
    'invalid_argument',
    /^http:\/\/127\.0\.0\.1:\d+\/x\?y: 404 Not Found$/,
  ],
  ['an answer that is cut off', () => whole.subarray(0, 5_000), 'unavailable', /: aborted$/],
  ['no HTTP', () => 'what?\r\n\r\n', 'unavailable', /Parse Error/],
  [
    'a circle',
    (host: string) => `HTTP/1.1 302 x\r\nLocation: http://${host}/x\r\nContent-Length: 0\r\n\r\n`,
    'invalid_argument',
    /more than 20 times/,
  ],
  [
    'a way to a file',
    () => 'HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n',
    'invalid_argument',
    /leads to file:/,
  ],
  ['a way to nowhere', () => 'HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n', 'invalid_argument', /302 Found/],
] as const) {
  test(`download() tells of ${what}, without the password of the address`, async () => {
    await using server = await serving(answer);
    const address = Object.assign(new URL(server.url.href), { username: 'me', password: 'secret' });
    const read = async () => {
      for await (const _ of (await download(address, { signal })).body);
    };
    await assert.rejects(read(), (error: Error & { readonly code?: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return !error.message.includes('secret');
    });
  });
}

test('download() ends with its signal', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const gone = new AbortController();
  const asked = download(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`), { signal: gone.signal });
  gone.abort(new Error('enough'));
  await assert.rejects(asked, { message: 'enough' });
  server.close();
});
