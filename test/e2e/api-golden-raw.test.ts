import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const timeoutMs = 60_000;
let daemon: Daemon;
let api: DockerApi;
before(async () => {
  daemon = await Daemon.start({ folder: mkdtempSync(join(tmpdir(), 'golden-raw-')) });
  api = new DockerApi(daemon.places.socketPath);
  await api.request('POST /images/load', { body: busyboxImage().archive, headers: { 'Content-Type': 'application/x-tar' } });
  await api.json('POST /containers/create?name=okc', { body: { Image: 'busybox', Cmd: ['true'] } });
});
after(() => daemon[Symbol.asyncDispose]());

/** Bad requests of the golden table that no client library would send: bytes as they go over the wire, in pieces where that matters. */
interface Case {
  readonly case: string;
  readonly status: number;
  readonly bytes: () => string | Buffer;
  /** The client's side of the connection is closed after the bytes. */
  readonly closes?: boolean;
  readonly says?: RegExp;
}

const create = 'POST /v1.51/containers/create';
const lineOf = (line: string, ...headers: readonly string[]) => `${[`${line} HTTP/1.1`, 'Host: d', ...headers].join('\r\n')}\r\n\r\n`;
const json = (body: string | Buffer, line = create) =>
  Buffer.concat([
    Buffer.from(lineOf(line, 'Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`)),
    Buffer.from(body),
  ]);
const nested = (depth: number) => `{"Image":"busybox","x":${'['.repeat(depth)}${']'.repeat(depth)}}`;
const ofHub = (auth: string) =>
  lineOf('POST /v1.51/images/create?fromImage=127.0.0.1:1/x&tag=y', `X-Registry-Auth: ${auth}`, 'Content-Length: 0');

const cases: readonly Case[] = [
  { case: 'json deep nest 10k', status: 400, bytes: () => json(nested(10_000)), says: /exceeded max depth/ },
  { case: 'json deep nest 200k', status: 400, bytes: () => json(nested(200_000)), says: /exceeded max depth/ },
  {
    case: 'json invalid utf8',
    status: 400,
    bytes: () => json(Buffer.concat([Buffer.from('{"Image":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])),
    says: /invalid reference format/,
  },
  { case: 'no Image', status: 201, bytes: () => json('{"Cmd":["true"]}') },
  {
    case: 'blkio 5',
    status: 201,
    bytes: () => json('{"Image":"busybox","Cmd":["true"],"HostConfig":{"BlkioWeight":5}}'),
    says: /Block I\/O weight/,
  },
  {
    case: 'attach no upgrade not run',
    status: 200,
    bytes: () => lineOf('POST /v1.51/containers/okc/attach?stream=1&stdout=1', 'Content-Length: 0'),
  },
  { case: 'pull bad auth hdr', status: 400, bytes: () => ofHub('!!!'), says: /X-Registry-Auth/ },
  { case: 'pull refused', status: 500, bytes: () => ofHub('e30='), says: /127\.0\.0\.1:1/ },
  { case: 'bad request line', status: 400, bytes: () => 'GARBAGE\r\n\r\n' },
  { case: 'http/0.9', status: 400, bytes: () => 'GET /_ping\r\n\r\n' },
  { case: 'no host', status: 400, bytes: () => 'GET /_ping HTTP/1.1\r\n\r\n' },
  { case: 'two hosts', status: 400, bytes: () => lineOf('GET /_ping', 'Host: e') },
  {
    case: 'CL+TE',
    status: 400,
    bytes: () => `${lineOf(create, 'Content-Type: application/json', 'Content-Length: 3', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
  },
  { case: 'CL dup differ', status: 400, bytes: () => `${lineOf(create, 'Content-Length: 3', 'Content-Length: 4')}abcd` },
  { case: 'CL neg', status: 400, bytes: () => lineOf(create, 'Content-Length: -1') },
  {
    case: 'bad chunk',
    status: 400,
    bytes: () => `${lineOf(create, 'Content-Type: application/json', 'Transfer-Encoding: chunked')}zz\r\nx\r\n`,
  },
  { case: 'header 2MB', status: 431, bytes: () => lineOf('GET /_ping', `X-Long: ${'x'.repeat(2 ** 21)}`) },
  { case: 'uri 2MB', status: 431, bytes: () => lineOf(`GET /_ping?${'x'.repeat(2 ** 21)}`) },
  {
    case: 'short body',
    status: 400,
    closes: true,
    bytes: () => `${lineOf(create, 'Content-Type: application/json', 'Content-Length: 100')}{"Image":`,
  },
  { case: 'bare LF', status: 400, bytes: () => 'GET /_ping HTTP/1.1\nHost: d\n\n' },
  { case: 'obs-fold', status: 400, bytes: () => lineOf('GET /_ping', 'X-Folded: a\r\n b') },
  {
    case: 'attach upgrade bad proto',
    status: 400,
    bytes: () => lineOf('POST /v1.51/containers/okc/attach?stream=1&stdout=1', 'Connection: Upgrade', 'Upgrade: zz'),
    says: /cannot upgrade to .*zz/,
  },
  {
    case: 'body 64MB json',
    status: 413,
    bytes: () => json(`{"Image":"busybox","Cmd":["${'x'.repeat(64 * 2 ** 20)}"]}`),
    says: /4194304 bytes/,
  },
];

for (const { case: name, status, bytes, closes = false, says } of cases) {
  test(`golden: ${name} is answered ${status}`, { timeout: timeoutMs }, async () => {
    const socket = await api.raw('');
    // An answer that comes before the request is whole ends the connection while we still send.
    socket.on('error', () => {});
    socket.write(bytes());
    if (closes) socket.end();
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    const deadline = Date.now() + timeoutMs / 2;
    while (Date.now() < deadline && !(/^HTTP\/1\.1 \d{3}/.test(answer) && (says === undefined || says.test(answer)))) await sleep(10);
    socket.destroy();
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), answer.slice(0, 300));
    if (says !== undefined) assert.match(answer, says);
    assert.equal((await api.request('GET /_ping')).text, 'OK');
  });
}
