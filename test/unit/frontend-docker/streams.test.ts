import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type DockerApi, dockerApi, frames, readAll } from '../../support/clients/docker-api.ts';
import { memoryEngine } from '../../support/engine/memory-engine/index.ts';

let api: DockerApi & AsyncDisposable;
const engine = memoryEngine();
before(async () => void (api = await dockerApi(engine)));
after(() => api[Symbol.asyncDispose]());

async function container(cmd: readonly string[], { tty = false } = {}): Promise<string> {
  const { id } = await engine.containers.create({ config: { Image: 'busybox', Cmd: cmd, OpenStdin: true, Tty: tty }, hostConfig: {} });
  return id;
}
const upgrade = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';
const attachTo = (id: string, headers = upgrade) =>
  `POST /v1.51/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: d\r\n${headers}\r\n`;
const bodyOf = (bytes: Buffer) => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
const headOf = (bytes: Buffer) => bytes.toString('latin1', 0, bytes.indexOf('\r\n\r\n'));

test('attach upgrades, passes on bytes that came with the request, and goes on after the client closed its side', async () => {
  const id = await container(['cat']);
  await engine.containers.start(id);
  const socket = await api.raw(`${attachTo(id)}early`);
  await once(socket, 'readable');
  socket.end(' late');
  const bytes = await readAll(socket);
  assert.equal(
    headOf(bytes),
    'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp',
  );
  const output = frames(bodyOf(bytes));
  assert.deepEqual([output.map(({ text }) => text).join(''), output[0]?.stream], ['early late', 1]);
});

test('attach takes a JSON body off before the stream begins, whole or in pieces, with a length or in chunks', async () => {
  for (const [headers, body] of [
    ['Content-Type: application/json\r\nContent-Length: 13\r\n', '{"stream":1} '],
    ['Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n', 'd\r\n{"stream":1} \r\n0\r\n\r\n'],
  ] as const) {
    const id = await container(['cat']);
    await engine.containers.start(id);
    const socket = await api.raw(attachTo(id, upgrade + headers) + body.slice(0, 5));
    await sleep(20);
    socket.end(`${body.slice(5)}input`);
    assert.deepEqual(frames(bodyOf(await readAll(socket))), [{ stream: 1, text: 'input' }]);
  }
});

test('attach to a terminal sends bytes without frames', async () => {
  const id = await container(['echo', 'shown'], { tty: true });
  const socket = await api.raw(attachTo(id));
  await once(socket, 'readable');
  await engine.containers.start(id);
  const bytes = await readAll(socket);
  assert.match(headOf(bytes), /raw-stream/);
  assert.equal(bodyOf(bytes).toString(), 'shown\n');
});

test('attach without an upgrade streams the output until the connection ends', async () => {
  const id = await container(['echo', 'plain']);
  const socket = await api.raw(attachTo(id, ''));
  const reading = readAll(socket);
  await sleep(50);
  await engine.containers.start(id);
  const bytes = await reading;
  assert.match(headOf(bytes), /^HTTP\/1.1 200 OK\r\n/);
  assert.doesNotMatch(headOf(bytes), /chunked/i);
  assert.deepEqual(frames(bodyOf(bytes)), [{ stream: 1, text: 'plain\n' }]);
  socket.destroy();
});

test('attach works on a container that is not started yet, and refuses an unknown one with an ordinary 404', async () => {
  const id = await container(['complain', 'no']);
  const socket = await api.raw(attachTo(id));
  await once(socket, 'readable');
  await engine.containers.start(id);
  assert.deepEqual(frames(bodyOf(await readAll(socket))), [{ stream: 2, text: 'no\n' }]);
  const refused = await readAll(await api.raw(attachTo('nope')));
  assert.match(headOf(refused), /^HTTP\/1.1 404 Not Found\r\n/);
  assert.deepEqual(JSON.parse(bodyOf(refused).toString()), { message: 'No such container: nope' });
});

test('attach holds back a flood until the client reads, and then delivers all of it', async () => {
  const id = await container(['flood', String(32 * 2 ** 20)]);
  const socket = await api.raw(attachTo(id));
  await once(socket, 'readable');
  await engine.containers.start(id);
  await sleep(100);
  let size = 0;
  for (const { text } of frames(bodyOf(await readAll(socket)))) size += text.length;
  assert.equal(size, 32 * 2 ** 20);
});

test('exec start shows a missing command in the stream and keeps 127 for inspect', async () => {
  const id = await container(['sleep', '100']);
  await engine.containers.start(id);
  const body = { AttachStdout: true, Cmd: ['nosuch'] };
  const { Id: exec } = await api.json<{ Id: string }>(`POST /v1.51/containers/${id}/exec`, { body });
  const socket = await api.raw(
    `POST /v1.51/exec/${exec}/start HTTP/1.1\r\nHost: d\r\n${upgrade}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
  );
  const bytes = await readAll(socket);
  assert.deepEqual(frames(bodyOf(bytes)), [{ stream: 1, text: 'exec: "nosuch": executable file not found in $PATH\r\n' }]);
  const { ExitCode } = await api.json<{ ExitCode: number }>(`GET /v1.51/exec/${exec}/json`);
  assert.equal(ExitCode, 127);
  const again = await api.request(`POST /v1.51/exec/${exec}/start`, { body: { Detach: true } });
  assert.equal(again.status, 409);
});

test('wait sends its head before the container ends', async () => {
  const id = await container(['exit', '3']);
  const socket = await api.raw(`POST /v1.51/containers/${id}/wait?condition=next-exit HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  assert.match(head.toString(), /^HTTP\/1.1 200 OK\r\n/);
  await engine.containers.start(id);
  assert.match((await readAll(socket)).toString(), /\{"StatusCode":3\}\n/);
  socket.destroy();
});

test('logs come in one write for a batch, framed, with timestamps and for one stream when asked', async () => {
  const id = await container(['lines', '3']);
  await engine.containers.start(id);
  await engine.containers.wait(id, 'not-running').result;
  const { text, headers } = await api.request(`GET /v1.51/containers/${id}/logs?stdout=1&stderr=1&timestamps=1&tail=2`);
  assert.equal(headers['content-type'], 'application/vnd.docker.multiplexed-stream');
  const lines = frames(Buffer.from(text)).map((frame) => frame.text);
  assert.equal(lines.length, 2);
  assert.match(lines.join(''), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 2\n\d{4}-.{26}Z? ?line 3\n$/);
  assert.equal((await api.request(`GET /v1.51/containers/${id}/logs?stderr=1`)).text, '');
  assert.equal(
    (await api.request(`GET /v1.41/containers/${id}/logs?stdout=1`)).headers['content-type'],
    'application/vnd.docker.raw-stream',
  );
});

test('logs with follow send their head at once and end with the container', async () => {
  const id = await container(['cat']);
  await engine.containers.start(id);
  const socket = await api.raw(`GET /v1.51/containers/${id}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  assert.match(head.toString(), /^HTTP\/1.1 200 OK\r\n/);
  await engine.containers.kill(id);
  await readAll(socket);
  socket.destroy();
});

test('events carry nanoseconds to the last digit and the fields of old clients', async () => {
  const id = await container(['true']);
  const until = Math.floor(Date.now() / 1e3) + 1;
  const { text } = await api.request(
    `GET /v1.51/events?since=1&until=${until}&filters=${encodeURIComponent(JSON.stringify({ container: [id] }))}`,
  );
  const [line = ''] = text.split('\n');
  const event = JSON.parse(line) as Record<string, unknown>;
  assert.deepEqual(
    [event['status'], event['id'], event['from'], event['Type'], event['Action']],
    ['create', id, 'busybox', 'container', 'create'],
  );
  assert.match(line, new RegExp(`"time":(\\d+),"timeNano":\\1\\d{9}}$`));
});

test('stats of a container that does not run are zeros with its name', async () => {
  const id = await container(['true']);
  const stats = await api.json<Record<string, unknown>>(`GET /v1.51/containers/${id}/stats?stream=0`);
  assert.deepEqual([stats['id'], stats['read'], stats['memory_stats']], [id, '0001-01-01T00:00:00Z', {}]);
});

test('stats stream a document a second whose previous reading is the one before', async () => {
  const id = await container(['sleep', '100']);
  await engine.containers.start(id);
  const socket = await api.raw(`GET /v1.51/containers/${id}/stats HTTP/1.1\r\nHost: d\r\n\r\n`);
  let text = '';
  while (text.split('\n{').length < 3) text += String(((await once(socket, 'data')) as [Buffer])[0]);
  socket.destroy();
  const [first, second] = text
    .split(/\r\n/)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { read: string; preread: string });
  assert.equal(first?.preread, '0001-01-01T00:00:00Z');
  assert.equal(second?.preread, first?.read);
});

test('load reports what it loaded and answers 400 to junk, since nothing was sent yet', async () => {
  const { text: archive } = await api.request('GET /v1.51/images/busybox/get');
  const loaded = await api.request('POST /v1.51/images/load?quiet=0', { body: archive, headers: { 'Content-Type': 'application/x-tar' } });
  const lines = loaded.text
    .trim()
    .split('\r\n')
    .map((line) => JSON.parse(line) as unknown);
  assert.deepEqual(lines, [
    { status: 'Loading layer', id: 'abc', progressDetail: { current: 1, total: 2 } },
    { stream: 'Loaded image: busybox:latest\n' },
  ]);
  assert.equal((await api.request('POST /v1.51/images/load', { body: 'junk' })).status, 400);
});

test('a pull that fails after its first message tells so in the stream', async () => {
  const { status, text } = await api.request('POST /v1.51/images/create?fromImage=pullable/broken&tag=1');
  const lines = text
    .trim()
    .split('\r\n')
    .map((line) => JSON.parse(line) as { error?: string });
  assert.deepEqual([status, lines.at(-1)?.error], [200, 'manifest for pullable/broken:1 not found']);
});

test('names with slashes work in paths', async () => {
  await engine.images.tag('busybox', 'registry.example:5000/some/where/name:tag');
  const path = '/images/registry.example:5000/some/where/name:tag';
  const { RepoTags } = await api.json<{ RepoTags: string[] }>(`GET /v1.51${path}/json`);
  assert.ok(RepoTags.includes('registry.example:5000/some/where/name:tag'));
  assert.equal((await api.request(`DELETE ${path}`)).status, 200);
});

test('the list of containers is made anew when a container changes and when the second does', async () => {
  const id = await container(['sleep', '100']);
  await engine.containers.start(id);
  const status = async () => {
    const list = await api.json<{ Id: string; Status: string }[]>('GET /v1.51/containers/json');
    return list.find((entry) => entry.Id === id)?.Status;
  };
  assert.equal(await status(), 'Up Less than a second');
  await engine.containers.pause(id);
  assert.match((await status()) ?? '', /\(Paused\)$/);
  await sleep(1_100);
  assert.equal(await status(), 'Up 1 second (Paused)');
});

test('the end of the server cuts streams and leaves no socket behind', async () => {
  const own = memoryEngine();
  const server = await dockerApi(own);
  const { id } = await own.containers.create({ config: { Image: 'busybox', Cmd: ['sleep', '100'], OpenStdin: true }, hostConfig: {} });
  await own.containers.start(id);
  const streams = await Promise.all([
    server.raw(attachTo(id)),
    server.raw('GET /events HTTP/1.1\r\nHost: d\r\n\r\n'),
    server.raw(`GET /containers/${id}/stats HTTP/1.1\r\nHost: d\r\n\r\n`),
    server.raw(`POST /containers/${id}/wait HTTP/1.1\r\nHost: d\r\n\r\n`),
  ]);
  await Promise.all(streams.map((socket) => once(socket, 'readable')));
  const closed = streams.map((socket) => {
    socket.resume().on('error', () => {});
    socket.once('end', () => socket.end());
    return once(socket, 'close');
  });
  const started = performance.now();
  await server[Symbol.asyncDispose]();
  await Promise.all(closed);
  assert.ok(performance.now() - started < 5_000);
});

test('attach/ws gives the output in binary messages, takes input, and ends with the process', async () => {
  const id = await container(['cat']);
  await engine.containers.start(id);
  const client = new WebSocket(`ws+unix:${api.socketPath}:/v1.51/containers/${id}/attach/ws?stream=1&stdin=1&stdout=1`);
  const received: Buffer[] = [];
  client.on('message', (data: Buffer, isBinary) => {
    assert.equal(isBinary, true);
    received.push(data);
    client.close();
  });
  await once(client, 'open');
  client.send('typed');
  const [code] = await once(client, 'close');
  assert.deepEqual([Buffer.concat(received).toString(), code], ['typed', 1005]);
});

test('attach/ws sends the end of a process as the end of the connection', async () => {
  const id = await container(['echo', 'shown']);
  const client = new WebSocket(`ws+unix:${api.socketPath}:/v1.51/containers/${id}/attach/ws?stream=1&stdout=1`);
  const received: Buffer[] = [];
  client.on('message', (data: Buffer) => received.push(data));
  await once(client, 'open');
  await engine.containers.start(id);
  await once(client, 'close');
  assert.equal(Buffer.concat(received).toString(), 'shown\n');
});

test('attach/ws answers like any other request what is no WebSocket, and who is not there', async () => {
  const id = await container(['cat']);
  const path = `/v1.51/containers/${id}/attach/ws?stream=1`;
  const handshake = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ';
  const rows = [
    [`GET ${path} HTTP/1.1\r\nHost: d\r\n\r\n`, 400],
    [`GET ${path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`, 400],
    [`GET ${path} HTTP/1.1\r\nHost: d\r\n${handshake}short\r\n\r\n`, 400],
    [`GET ${path.replace(id, 'nope')} HTTP/1.1\r\nHost: d\r\n${handshake}MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n`, 404],
    [`POST ${path} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n`, 404],
  ] as const;
  for (const [bytes, status] of rows) {
    const socket = await api.raw(bytes);
    const [first] = await once(socket, 'data');
    assert.match(String(first), new RegExp(`^HTTP/1\\.1 ${status} `), bytes);
    socket.destroy();
  }
});

test('attach/ws with junk in place of frames ends the connection alone', async () => {
  const id = await container(['cat']);
  await engine.containers.start(id);
  const headers =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n';
  const socket = await api.raw(`GET /v1.51/containers/${id}/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n${headers}\r\n`);
  await once(socket, 'data');
  socket.write(Buffer.alloc(64, 0xff));
  socket.resume();
  await once(socket, 'end');
  socket.destroy();
  assert.equal((await api.request('GET /_ping')).text, 'OK');
});

test('a reader of events that keeps up gets all of them, and one that does not read is cut off', async () => {
  const count = 20_000;
  const reading = await api.raw('GET /v1.51/events HTTP/1.1\r\nHost: d\r\n\r\n');
  const stalled = await api.raw('GET /v1.51/events HTTP/1.1\r\nHost: d\r\n\r\n');
  for (const socket of [reading, stalled]) await once(socket, 'readable');
  let text = '';
  reading.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  const listeners = engine.events.listeners;
  for (let index = 0; index < count; index += 1) {
    engine.events.publish('volume', `stalled-${index}`, 'v', { padding: 'x'.repeat(200) });
    if (index % 500 === 0) await sleep(1);
  }
  for (let tries = 0; (!text.includes(`"stalled-${count - 1}"`) || engine.events.listeners === listeners) && tries < 500; tries += 1)
    await sleep(10);
  assert.equal(engine.events.listeners, listeners - 1);
  assert.equal(text.split('"Action":"stalled-').length - 1, count);
  reading.destroy();
  const gone = new Promise((resolve) => stalled.once('end', resolve).once('error', resolve));
  stalled.resume();
  await gone;
  stalled.destroy();
});
