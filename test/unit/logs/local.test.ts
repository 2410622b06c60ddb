import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FileLogDriver, type Entry, type ReadRequest, type WriteRequest } from '@gantry/sdk/log';
import { localFormat } from '../../../plugins/log/local/frames.ts';
import { logContext, loggedInfo } from '../../support/plugins/log-subject.ts';

const defaults = { maxBytes: 20 * 1024 * 1024, maxFiles: 5, compress: true };
const open = () => new FileLogDriver({ name: 'local', format: localFormat, defaults });

test('the local log driver writes what Docker’s own writes, byte by byte', async () => {
  using folder = temporaryFolder();
  const container = loggedInfo(folder.path);
  await write(container, [entry('hi')]);
  const message = '0a067374646f757410959a97ece39fe7cb171a026869';
  assert.equal(readFileSync(localFormat.path(container)).toString('hex'), `00000016${message}00000016`);
});

test('the local log driver writes whole lines as it does their pieces: what Docker reads is what was printed', () => {
  const times = [
    { seconds: 1_700_000_000, nanos: 5 },
    { seconds: 1_700_000_000, nanos: 5 },
    { seconds: 1_700_000_001, nanos: 0 },
  ];
  const entries = [0, 1, 127, 128, 16_383, 16_384].flatMap((length, index) =>
    times.map((time, at): Entry => {
      const source = (index + at) % 2 === 0 ? 'stdout' : 'stderr';
      return { time, source, line: Buffer.alloc(length, index + 65), partial: at === 1 };
    }),
  );
  const encoder = localFormat.encoder({});
  const read: Entry[] = [];
  for (let next = 0; next < entries.length; ) {
    using encoded = encoder.encode(entries, next, 40_000);
    assert.ok(encoded.count > 0);
    next += encoded.count;
    assert.equal(localFormat.decoder().decode(Buffer.from(encoded.bytes), 0, read, 1_000), encoded.bytes.length);
  }
  assert.deepEqual(read, entries);
});

test('the local log driver passes over damage: all else is read, and counted by tail', async () => {
  using folder = temporaryFolder();
  const container = loggedInfo(folder.path);
  await write(container, ['a', 'b', 'c', 'd', 'e', 'f'].map(entry));
  const path = localFormat.path(container);
  const whole = readFileSync(path);
  const frame = whole.length / 6;
  for (const [damaged, left] of [
    [Buffer.concat([whole.subarray(0, 2 * frame), Buffer.alloc(300), whole.subarray(3 * frame)]), ['a', 'b', 'd', 'e', 'f']],
    [Buffer.concat([whole.subarray(0, 2 * frame + 9), whole.subarray(3 * frame)]), ['a', 'b', 'd', 'e', 'f']],
    [Buffer.concat([whole, Buffer.alloc(5_000)]), ['a', 'b', 'c', 'd', 'e', 'f']],
    [whole.subarray(0, -3), ['a', 'b', 'c', 'd', 'e']],
  ] as const) {
    writeFileSync(path, damaged);
    assert.deepEqual(await texts(container), left);
    for (const tail of [0, 1, 2, 4, 9])
      assert.deepEqual(await texts(container, { tail }), tail === 0 ? [] : left.slice(-tail), `tail ${tail}`);
  }
});

test('the local log driver rotates, compresses and still reads all that is left', async () => {
  using folder = temporaryFolder();
  const container = loggedInfo(folder.path);
  const options = { 'max-size': '8k', 'max-file': '3' };
  const all = Array.from({ length: 1_500 }, (_, index) => `${index}`);
  for (let at = 0; at < all.length; at += 50) await write(container, all.slice(at, at + 50).map(entry), { options, firstSeq: at + 1 });
  const left = await texts(container, { options });
  assert.ok(left.length > 300 && left.length < 1_000, `${left.length} lines`);
  assert.deepEqual(left, all.slice(-left.length));
  for (const tail of [1, left.length - 1]) assert.deepEqual(await texts(container, { options, tail }), all.slice(-tail));
  assert.ok(readdirSync(join(container.dir, 'local-logs')).some((name) => name.endsWith('.2.gz')));
  await open().purge({ container });
  assert.deepEqual(readdirSync(join(container.dir, 'local-logs')), []);
});

const badOptions: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ zz: '1' }, /^unknown log opt 'zz' for local log driver$/],
  [{ 'max-size': '-1' }, /max-size=-1/],
  [{ 'max-file': '0' }, /max-file=0/],
  [{ 'max-file': '1' }, /compress cannot be true when max-file is less than 2/],
  [{ compress: 'maybe' }, /compress=maybe/],
];
for (const [options, message] of badOptions) {
  test(`the local log driver refuses ${JSON.stringify(options)}`, async () => {
    await assert.rejects(open().validate({ options }), { code: 'invalid_argument', message });
  });
}

async function write(
  container: ReturnType<typeof loggedInfo>,
  entries: readonly Entry[],
  { options = {}, firstSeq = 1 }: { readonly options?: Readonly<Record<string, string>>; readonly firstSeq?: number } = {},
): Promise<void> {
  async function* requests(): AsyncGenerator<WriteRequest> {
    yield { kind: 'open', streamId: 's', container, options };
    yield { kind: 'batch', firstSeq, entries, droppedBefore: 0 };
    yield { kind: 'close', flushDeadlineMs: 1_000 };
  }
  await Array.fromAsync(open().write(requests()));
}

async function texts(container: ReturnType<typeof loggedInfo>, query: Partial<ReadRequest> = {}): Promise<readonly string[]> {
  const request = { container, options: {}, follow: false, stdout: true, stderr: true, ...query };
  return (await Array.fromAsync(open().read(request, logContext))).flatMap(({ entries }) => entries.map(({ line }) => line.toString()));
}

function entry(text: string): Entry {
  return { time: { seconds: 1_700_000_000, nanos: 123_456_789 }, source: 'stdout', line: Buffer.from(text), partial: false };
}

function temporaryFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'local-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
