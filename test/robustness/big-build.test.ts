import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, type TestContext, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { withExt4 } from '../support/disks/ext4.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { endOfArchive, entry, header } from '../support/images/tar-builder.ts';

inNamespaces(import.meta.url);

/** Small by default; GANTRY_TEST_CROWD=1 is what the engine is held to: a file of 3 GiB, a million files, a gibibyte of output. */
const isWhole = process.env['GANTRY_TEST_CROWD'] === '1';
const mebibyte = 2 ** 20;
const size = isWhole
  ? { fileBytes: 3 * 1024 * mebibyte, files: 300_000, outputBytes: 1024 * mebibyte }
  : { fileBytes: 96 * mebibyte, files: 40_000, outputBytes: 48 * mebibyte };
const timeout = isWhole ? 3_600_000 : 240_000;
/** Of the engine, whatever is built: contents and output pass through it, and a hundred bytes are held of each file. */
const mostGrownMB = { 'a file': 200, files: 64, 'too many files': 220, output: 200 };

const disk = withExt4({ folder: mkdtempSync(join(tmpdir(), 'big-build-')), sizeMiB: isWhole ? 20_480 : 2_048 });
let engine: Daemon;
before(async () => {
  engine = await Daemon.start({ folder: join(disk.path, 'engine') });
  await engine.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});
after(async () => {
  await engine.kill();
  await disk[Symbol.asyncDispose]();
});

interface Built {
  readonly status: number;
  /** The end of what was answered. */
  readonly end: string;
  readonly bytes: number;
}

/** Sends a context as it is made, and reads the answer as it comes. */
async function build(context: Iterable<Buffer>, query = ''): Promise<Built> {
  const asked = request({
    socketPath: engine.places.socketPath,
    method: 'POST',
    path: `/v1.51/build?networkmode=none&forcerm=1${query}`,
    headers: { 'Content-Type': 'application/x-tar' },
  });
  const answer = once(asked, 'response');
  // What is refused is answered before all of it was sent.
  const sent = pipeline(Readable.from(context), asked).catch(() => undefined);
  const [response] = await answer;
  let [end, bytes] = ['', 0];
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    end = (end + (chunk as Buffer).toString()).slice(-4000);
  }
  asked.destroy();
  await sent;
  return { status: response.statusCode, end, bytes };
}

/** How much more memory the engine had than before, at most, and how long it took. */
async function measured<T>(t: TestContext, what: keyof typeof mostGrownMB, work: () => Promise<T>): Promise<T> {
  writeFileSync(`/proc/${engine.pid}/clear_refs`, '5');
  const resident = (key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${engine.pid}/status`, 'utf8'))?.[1]) / 1024;
  const [at, began] = [resident('VmRSS'), performance.now()];
  const result = await work();
  const grown = resident('VmHWM') - at;
  t.diagnostic(
    `${what}: ${((performance.now() - began) / 1000).toFixed(1)} s, ${at.toFixed(0)} MB and at most ${grown.toFixed(0)} MB more`,
  );
  assert.ok(grown < mostGrownMB[what], `${what}: ${grown} MB more`);
  return result;
}

test(`a build takes a file of ${size.fileBytes} bytes in its context`, { timeout }, async (t) => {
  function* context(): Iterable<Buffer> {
    yield entry('Dockerfile', 'FROM busybox\nCOPY big /big\nRUN stat -c "%n has %s" /big\n');
    yield header({ name: 'big', size: size.fileBytes });
    const chunk = Buffer.alloc(mebibyte, 'big ');
    for (let left = size.fileBytes; left > 0; left -= chunk.length) yield chunk.subarray(0, left);
    yield endOfArchive;
  }
  const { end } = await measured(t, 'a file', () => build(context()));
  assert.match(end, new RegExp(`/big has ${size.fileBytes}\\b[\\s\\S]*Successfully built`));
});

function* contextOf(count: number): Iterable<Buffer> {
  yield entry('Dockerfile', 'FROM busybox\nCOPY . /all\nRUN find /all -type f | wc -l\n');
  const template = Buffer.concat([header({ name: 'd000/f0000000', size: 7 }), Buffer.alloc(512)]);
  const sum = Number.parseInt(template.toString('latin1', 148, 154), 8);
  for (let at = 0; at < count; ) {
    const entries = Buffer.alloc(template.length * Math.min(1000, count - at));
    for (let offset = 0; offset < entries.length; offset += template.length) {
      const [folder, name] = [String(at % 1000).padStart(3, '0'), String(at++).padStart(7, '0')];
      template.copy(entries, offset);
      entries.write(folder, offset + 1, 'latin1');
      entries.write(name, offset + 6, 'latin1');
      const digits = Array.from(folder + name).reduce((total, digit) => total + Number(digit), 0);
      entries.write((sum + digits).toString(8).padStart(6, '0'), offset + 148, 'latin1');
      entries.write(name, offset + 512, 'latin1');
    }
    yield entries;
  }
  yield endOfArchive;
}

test(`a build takes a context of ${size.files} files`, { timeout }, async (t) => {
  const { end } = await measured(t, 'files', () => build(contextOf(size.files)));
  assert.match(end, new RegExp(`"stream":"${size.files + 1}\\\\n"[\\s\\S]*Successfully built`));
});

test('a build refuses a context of more than a million files', { timeout }, async (t) => {
  const { status, end } = await measured(t, 'too many files', () => build(contextOf(1_000_010)));
  assert.match(end, /more than 1000000 files/);
  assert.equal(status, 400);
});

test(`a build tells ${size.outputBytes} bytes of output of a step, as fast as they are read`, { timeout }, async (t) => {
  const Dockerfile = `FROM busybox\nRUN yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c ${size.outputBytes}; echo the end\n`;
  const { end, bytes } = await measured(t, 'output', () => build([entry('Dockerfile', Dockerfile), endOfArchive]));
  assert.ok(bytes > size.outputBytes, String(bytes));
  assert.match(end, /the end\\n[\s\S]*Successfully built/);
});
