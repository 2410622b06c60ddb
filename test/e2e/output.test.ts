import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

// What a process wrote before its end arrives whole, however slowly it is read.
const gantryProgram = join(import.meta.dirname, '../../core/bin/gantry.mjs');
let daemon: Daemon;
let env: NodeJS.ProcessEnv;

before(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'output-'));
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  env = { ...process.env, GANTRY_HOST: `unix://${daemon.places.socketPath}` };
  const image = join(folder, 'busybox.tar');
  writeFileSync(image, busyboxImage().archive);
  await bash(`gantry load -q -i ${image}`);
});
after(() => daemon[Symbol.asyncDispose]());

/** More than a pipe holds, and so little more that the command has nothing to wait for before it ends. */
const overAPipe = 100_000;

const sources: Readonly<Record<string, string>> = {
  run: `gantry run --rm busybox head -c ${overAPipe} /dev/zero`,
  'run -i': `head -c ${overAPipe} /dev/zero | gantry run -i --rm busybox cat`,
  'run -t': `gantry run -t --rm busybox head -c ${overAPipe} /dev/zero`,
  'run of what writes to stderr': `gantry run --rm busybox sh -c 'head -c ${overAPipe} /dev/zero >&2' 2>&1 >/dev/null`,
  'start -a': `gantry create --name started busybox head -c ${overAPipe} /dev/zero >/dev/null; gantry start -a started`,
  attach: `gantry run -d --name attached busybox sh -c 'sleep 1; head -c ${overAPipe} /dev/zero' >/dev/null; gantry attach attached`,
  logs: `gantry run --name logged busybox sh -c "yes 123456789 | head -c ${overAPipe}" >/dev/null; gantry logs logged`,
  'logs -f': `gantry run -d --name told busybox sh -c "sleep 0.5; yes 123456789 | head -c ${overAPipe}" >/dev/null; gantry logs -f told`,
  'logs -f of a container that removes itself': `gantry run -d --rm --name gone busybox sh -c "sleep 0.5; yes 123456789 | head -c ${overAPipe}" >/dev/null; gantry logs -f gone`,
  exec: `gantry run -d --name target busybox sleep 1000 >/dev/null; gantry exec target head -c ${overAPipe} /dev/zero`,
  'exec -i': `head -c ${overAPipe} /dev/zero | gantry exec -i target cat`,
  'exec -t': `gantry exec -t target head -c ${overAPipe} /dev/zero`,
};
for (const [what, command] of Object.entries(sources)) {
  test(`gantry ${what} waits at its end for a reader that is slow`, async () => {
    assert.equal(await bash(`{ ${command}; } | { sleep 2.5; wc -c; }`), `${overAPipe}\n`);
  });
}

test('gantry cp to stdout loses nothing of a big file whose reader is slow', async () => {
  await bash('gantry run --name copied busybox dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null');
  const script = 'gantry cp copied:/big - | { sleep 2; tar -xO; } | wc -c';
  assert.equal(await bash(script), `${64 * 2 ** 20}\n`);
});

/** Longer than the engine waits for a client that has its whole answer to go. */
const patienceMs = 7_000;
/** In steps that one of them is a little more than what the kernel holds of an answer, which depends on the machine. */
const sizes = Array.from({ length: 10 }, (_, index) => 100_000 + index * 40_000);

for (const stdin of ['', '&stdin=1']) {
  test(`attach${stdin} gives a client that begins to read long after the end all that the process wrote`, async () => {
    const { api } = daemon;
    const begin = async (size: number) => {
      const write = `head -c ${size} /dev/zero`;
      const json = {
        Image: 'busybox',
        Cmd: ['sh', '-c', stdin === '' ? write : `cat; ${write}`],
        OpenStdin: stdin !== '',
        StdinOnce: true,
      };
      const { Id } = await api.json<{ readonly Id: string }>('POST', '/containers/create', { json });
      const socket = await hijack(`/v1.51/containers/${Id}/attach?stream=1&stdout=1&stderr=1${stdin}`);
      await api.call('POST', `/containers/${Id}/start`);
      if (stdin !== '') socket.end('input');
      return socket;
    };
    const sockets = await Promise.all(sizes.map(begin));
    await sleep(patienceMs);
    assert.deepEqual(
      await Promise.all(sockets.map(payloadOf)),
      sizes.map((size) => size + (stdin === '' ? 0 : 'input'.length)),
    );
  });
}

test('gantry run -i loses nothing of the output when its input goes on after the process has ended', async () => {
  const size = 8 * 2 ** 20;
  assert.equal(await bash(`yes | gantry run -i --rm busybox head -c ${size} /dev/zero | { sleep 7; wc -c; }`), `${size}\n`);
});

test('gantry run -i gives back 8 MiB whole while the machine is busy', async () => {
  const size = 8 * 2 ** 20;
  const run = `head -c ${size} /dev/zero | gantry run -i --rm busybox cat | wc -c`;
  const busy = `timeout 60 sh -c 'while :; do :; done'`;
  const script = `${busy} & one=$!; ${busy} & two=$!; ${run}; kill $one $two`;
  assert.equal(await bash(script), `${size}\n`);
});

async function bash(script: string): Promise<string> {
  const words = ['-c', `gantry() { ${quote(process.execPath)} ${quote(gantryProgram)} "$@"; }; ${script}`];
  const { stdout } = await promisify(execFile)('bash', words, { env, encoding: 'utf8' });
  return stdout;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** The connection after its head, nothing of the output read. */
async function hijack(path: string): Promise<Socket> {
  const socket = connect({ path: daemon.places.socketPath, allowHalfOpen: true });
  socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n`);
  const head = await new Promise<Buffer>((resolve) => {
    socket.once('readable', () => resolve(socket.read() as Buffer));
  });
  assert.match(head.toString('latin1'), /^HTTP\/1\.1 101 [^]*\r\n\r\n$/);
  return socket;
}

/** Bytes of payload in the frames until the connection ends; fails for a frame that is cut. */
async function payloadOf(socket: Socket): Promise<number> {
  const all = Buffer.concat(await Array.fromAsync(socket as AsyncIterable<Buffer>));
  let payload = 0;
  for (let at = 0; at < all.length; ) {
    const length = all.readUInt32BE(at + 4);
    assert.ok(at + 8 + length <= all.length, 'the last frame is cut');
    payload += length;
    at += 8 + length;
  }
  return payload;
}
