import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectSeqpacket, type SeqpacketSocket } from '@gantry/sdk/linux';
import { SeqpacketServer } from './seqpacket-server.ts';

const root = mkdtempSync(join(tmpdir(), 'seqpacket-'));
after(() => rmSync(root, { recursive: true }));

test('SeqpacketSocket keeps the bounds of packets, in both directions', async () => {
  await using pair = await connected('bounds');
  const { client, server } = pair;
  for (const text of ['one', 'two', 'three']) await server.write(Buffer.from(text));
  await client.write(Buffer.alloc(20_000, 'x'));
  assert.deepEqual(await take(client, 3), ['one', 'two', 'three']);
  assert.deepEqual(
    (await take(server, 3)).map(({ length }) => length),
    [8192, 8192, 3616],
  );
});

test('SeqpacketSocket.shutdownWrite() ends one direction only, and an empty write sends nothing', async () => {
  await using pair = await connected('half');
  const { client, server } = pair;
  await client.write(new Uint8Array(0));
  await client.write(Buffer.from('last'));
  await client.shutdownWrite();
  assert.deepEqual(await all(server), ['last']);
  await server.write(Buffer.from('answer'));
  server.close();
  assert.deepEqual(await all(client), ['answer']);
  await assert.rejects(server.write(Buffer.from('x')), { code: 'EPIPE' });
});

test('SeqpacketSocket.packets() gives all that was sent before the peer left with bytes unread', async () => {
  await using pair = await connected('reset');
  const { client, server } = pair;
  await client.write(Buffer.from('never read'));
  for (const text of ['a', 'b']) await server.write(Buffer.from(text));
  server.close();
  assert.deepEqual(await all(client), ['a', 'b']);
  await assert.rejects(client.write(Buffer.from('x')), { code: 'EPIPE', syscall: 'send' });
});

test('a slow reader holds up its own sender and nobody else', async () => {
  await using slow = await connected('slow');
  await using quick = await connected('quick');
  let sent = 0;
  const flood = (async () => {
    for (; sent < 4096; sent++) await slow.server.write(Buffer.alloc(8192));
  })();
  await sleep(50);
  const atRest = sent;
  await sleep(50);
  assert.equal(sent, atRest, 'the sender waits');
  assert.ok(atRest * 8192 < 4 << 20, `${atRest} packets are buffered`);
  await quick.server.write(Buffer.from('through'));
  assert.deepEqual(await take(quick.client, 1), ['through']);
  let received = 0;
  for await (const packet of slow.client.packets()) if ((received += packet.length) === 4096 * 8192) break;
  await flood;
});

test('SeqpacketSocket.close() ends the reader, rejects what waits, and may be called twice', async () => {
  await using pair = await connected('closing');
  const { client, server } = pair;
  const reading = all(client);
  const stuck = (async () => {
    for (;;) await server.write(Buffer.alloc(8192));
  })();
  stuck.catch(() => undefined);
  await sleep(10);
  client.close();
  client.close();
  assert.ok((await reading).length > 0);
  await assert.rejects(stuck, { code: 'EPIPE' });
});

test('connectSeqpacket() names what is not there, takes long paths, and leaves no descriptor behind', async () => {
  const before = readdirSync('/proc/self/fd').length;
  await assert.rejects(connectSeqpacket(join(root, 'missing')), { code: 'ENOENT', syscall: 'connect', path: join(root, 'missing') });
  const long = join(root, 'l'.repeat(200));
  mkdirSync(long);
  const server = new SeqpacketServer(join(root, 'short'));
  renameSync(join(root, 'short'), join(long, 'attach'));
  const client = await connectSeqpacket(join(long, 'attach'));
  client.close();
  server[Symbol.dispose]();
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('connectSeqpacket() waits while the listener’s queue is full, until aborted', async () => {
  using server = new SeqpacketServer(join(root, 'full'), 0);
  await using first = await connectSeqpacket(join(root, 'full'));
  const signal = AbortSignal.timeout(30);
  await assert.rejects(
    connectSeqpacket(join(root, 'full'), { signal }),
    (error: Error) => error.name === 'TimeoutError' || error.name === 'AbortError',
  );
  const second = connectSeqpacket(join(root, 'full'));
  await server.accept();
  await (await second).write(Buffer.from('in'));
  await (await second)[Symbol.asyncDispose]();
  await first.write(Buffer.from('x'));
});

test('connectSeqpacket() waits for accept(2) as long as it is told, until aborted, and not for who is gone', async () => {
  const path = join(root, 'accepts');
  const server = new SeqpacketServer(path);
  const waiting = connectSeqpacket(path, { acceptWithinMs: 60_000 });
  assert.equal(await Promise.race([waiting, sleep(100, 'waits')]), 'waits');
  await (await server.accept()).write(Buffer.from('to all'));
  await using client = await waiting;
  assert.deepEqual(await take(client, 1), ['to all']);

  (await connectSeqpacket(path, { acceptWithinMs: 20 })).close();
  await assert.rejects(connectSeqpacket(path, { acceptWithinMs: 60_000, signal: AbortSignal.timeout(20) }), { name: 'TimeoutError' });

  const left = connectSeqpacket(path, { acceptWithinMs: 60_000 });
  await sleep(20);
  server[Symbol.dispose]();
  await using over = await left;
  assert.deepEqual(await all(over), []);
});

async function connected(name: string): Promise<AsyncDisposable & { readonly client: SeqpacketSocket; readonly server: SeqpacketSocket }> {
  const listener = new SeqpacketServer(join(root, name));
  const accepting = listener.accept();
  const client = await connectSeqpacket(join(root, name));
  const server = await accepting;
  return {
    client,
    server,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      listener[Symbol.dispose]();
    },
  };
}

async function all(socket: SeqpacketSocket): Promise<string[]> {
  return (await Array.fromAsync(socket.packets())).map(String);
}

async function take(socket: SeqpacketSocket, count: number): Promise<string[]> {
  const taken: string[] = [];
  for await (const packet of socket.packets()) if (taken.push(packet.toString()) === count) break;
  return taken;
}
