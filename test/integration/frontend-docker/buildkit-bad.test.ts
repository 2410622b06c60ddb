import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { framed, upgradedTo } from '../../support/clients/buildkit-control.ts';
import { Daemon } from '../../support/engine/daemon.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

let daemon: Daemon;
before(async () => {
  daemon = await Daemon.start({ folder: mkdtempSync(join(tmpdir(), 'buildkit-')) });
});
after(() => daemon[Symbol.asyncDispose]());

const control = '/moby.buildkit.v1.Control';
const bridge = '/moby.buildkit.v1.frontend.LLBBridge';
const garbage = framed(Buffer.alloc(64, 0xff));
const text = (number: number, value: string): Buffer => Buffer.concat([Buffer.from([number * 8 + 2, value.length]), Buffer.from(value)]);

for (const [what, method, body, status] of [
  ['a Solve that is no message', `${control}/Solve`, garbage, /^3$/],
  ['a Solve of a session that nobody opened', `${control}/Solve`, framed(Buffer.concat([text(1, 'r'), text(6, 'dockerfile.v0')])), /^14$/],
  ['a Solve of something else than a Dockerfile', `${control}/Solve`, framed(Buffer.concat([text(1, 'l'), text(6, 'llb')])), /^12$/],
  ['a Status that is no message', `${control}/Status`, garbage, /^3$/],
  ['a Prune that is no message', `${control}/Prune`, garbage, /^3$/],
  ['a Status of a build that nobody began', `${control}/Status`, framed(text(1, 'unheard')), /^5$/],
  ["a frontend's Solve that is no message", `${bridge}/Solve`, garbage, /^3$/],
  ["a frontend's Return of no build", `${bridge}/Return`, framed(Buffer.alloc(0)), /^5$/],
  ['a method that is none', `${control}/Destroy`, framed(Buffer.alloc(0)), /^12$/],
  ['a frame that is longer than any', `${control}/Solve`, Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), /^8$/],
  ['a frame that ends early', `${control}/Solve`, framed(Buffer.alloc(64)).subarray(0, 20), /^(3|12|13)$/],
  [
    'a frame of an unknown compression',
    `${control}/Solve`,
    Buffer.concat([Buffer.from([1]), framed(Buffer.alloc(4)).subarray(1)]),
    /^(3|12|13)$/,
  ],
] as const)
  test(`BuildKit's door answers ${what} with its status, and goes on`, { timeout: 60_000 }, async () => {
    assert.match(await statusOf(method, body), status);
    assert.equal(await statusOf(`${control}/Info`, framed(Buffer.alloc(0))), '0');
  });

for (const door of ['/grpc', '/session'])
  test(`a connection to ${door} that speaks something else is ended, and costs nobody else anything`, { timeout: 60_000 }, async () => {
    const socket = await upgraded(door, { 'X-Docker-Expose-Session-Uuid': 'noise', 'X-Docker-Expose-Session-Name': 'noise' });
    socket.write(Buffer.alloc(4096, 'noise '));
    socket.resume();
    await once(socket, 'close');
    assert.equal(await statusOf(`${control}/Info`, framed(Buffer.alloc(0))), '0');
  });

async function statusOf(method: string, body: Buffer): Promise<string> {
  const socket = await upgraded('/grpc');
  const http = connectHttp2('http://engine', { createConnection: () => socket });
  http.on('error', () => {});
  try {
    const stream = http.request({ ':method': 'POST', ':path': method, 'content-type': 'application/grpc', te: 'trailers' });
    let status = '';
    const heard = ({ 'grpc-status': told }: Readonly<Record<string, unknown>>): void => {
      if (typeof told === 'string') status = told;
    };
    stream
      .on('response', heard)
      .on('trailers', heard)
      .on('error', () => {});
    stream.resume();
    stream.end(body);
    await once(stream, 'close');
    return status;
  } finally {
    http.destroy();
  }
}

function upgraded(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Socket> {
  return upgradedTo(daemon.places.socketPath, path, headers);
}
