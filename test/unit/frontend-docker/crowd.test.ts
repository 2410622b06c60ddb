import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DockerApi, dockerApi, readAll } from '../../support/clients/docker-api.ts';
import { memoryEngine } from '../../support/engine/memory-engine/index.ts';

const ping = 'GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n';
const attach = 'POST /containers/x/attach?stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';

async function answerTo(api: DockerApi, bytes: string): Promise<string> {
  const socket = await api.raw(bytes);
  const answer = (await readAll(socket)).toString();
  socket.destroy();
  return answer;
}

test('the connection after 1,024 is told that there are too many, until one of them goes', { timeout: 60_000 }, async () => {
  await using api = await dockerApi(memoryEngine());
  const sockets = await Promise.all(Array.from({ length: 1_024 }, () => api.raw('')));
  for (const bytes of [ping, attach]) {
    const answer = await answerTo(api, bytes);
    assert.match(answer, /^HTTP\/1\.1 503 [^]*there are 1024 connections to this address already: close some, and try again/);
    assert.match(answer, /^Connection: close\r$/im);
  }
  sockets.pop()?.destroy();
  let text = '';
  for (let attempt = 0; attempt < 100 && text !== 'OK'; attempt++) ({ text } = await api.request('GET /_ping'));
  assert.equal(text, 'OK');
  for (const socket of sockets) socket.destroy();
});

for (const [bytes, status] of [
  [15_000, 200],
  [17_000, 431],
] as const) {
  test(`a request whose headers have ${bytes} bytes is answered ${status}`, async () => {
    await using api = await dockerApi(memoryEngine());
    const answer = await answerTo(api, `GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\nX: ${'x'.repeat(bytes)}\r\n\r\n`);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
  });
}

for (const [bytes, status] of [
  [4 * 2 ** 20, 404],
  [4 * 2 ** 20 + 1, 413],
] as const) {
  test(`a JSON body of ${bytes} bytes is answered ${status}`, async () => {
    await using api = await dockerApi(memoryEngine());
    const [head, tail] = ['{"Image":"', '"}'];
    const body = head + 'x'.repeat(bytes - head.length - tail.length) + tail;
    const reply = await api.request('POST /containers/create', { body });
    assert.equal(reply.status, status, reply.text.slice(0, 200));
  });
}
