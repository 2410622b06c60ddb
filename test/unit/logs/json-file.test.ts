import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entry, ReadRequest } from '@gantry/sdk/log';
import fc from 'fast-check';
import { Decoder } from '../../../plugins/log/json-file/decode.ts';
import { jsonFormat, JsonFileDriver } from '../../../plugins/log/json-file/driver.ts';
import { Encoder } from '../../../plugins/log/json-file/encode.ts';
import { LogFile } from '../../../sdk/log/files/log-file.ts';
import { logContext, loggedInfo } from '../../support/plugins/log-subject.ts';

const time = { seconds: Date.UTC(2026, 0, 1) / 1e3, nanos: 120_000_000 };

test('Encoder.encode writes Docker’s lines byte by byte', () => {
  const entries: Entry[] = [
    { time, source: 'stdout', line: Buffer.from('plain'), partial: false },
    { time, source: 'stderr', line: Buffer.from('"\\<>&\t\r\u0001é\u2028'), partial: true },
    { time, source: 'stdout', line: Buffer.from([0x61, 0xff, 0xe2, 0x82, 0x62]), partial: false },
  ];
  using encoded = new Encoder({ team: '<a>' }).encode(entries, 0, Number.POSITIVE_INFINITY);
  const tail = (stream: string) => `","stream":"${stream}","attrs":{"team":"\\u003ca\\u003e"},"time":"2026-01-01T00:00:00.12Z"}\n`;
  assert.equal(
    encoded.bytes.toString(),
    `{"log":"plain\\n${tail('stdout')}{"log":"\\"\\\\\\u003c\\u003e\\u0026\\u0009\\r\\u0001é\\u2028${tail('stderr')}{"log":"a\\ufffd\\ufffd\\ufffdb\\n${tail('stdout')}`,
  );
});

test('Decoder.decode gives back any text that Encoder wrote, and what JSON.parse reads of it', () => {
  const entry = fc.record({
    time: fc
      .tuple(fc.integer({ min: 0, max: 4e9 }), fc.integer({ min: 0, max: 999_999_999 }))
      .map(([seconds, nanos]) => ({ seconds, nanos })),
    source: fc.constantFrom('stdout' as const, 'stderr' as const),
    line: fc.string({ unit: 'binary', maxLength: 80 }).map((text) => Buffer.from(text.replaceAll('\n', ''))),
    partial: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 8 }), (entries) => {
      using encoded = new Encoder({}).encode(entries, 0, Number.POSITIVE_INFINITY);
      const found: Entry[] = [];
      new Decoder().decode(Buffer.from(encoded.bytes), 0, found, 1_000);
      assert.deepEqual(found.map(plain), entries.map(plain));
      const logs = encoded.bytes
        .toString()
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { log: string }).log);
      assert.deepEqual(
        logs,
        entries.map(({ line, partial }) => `${line.toString()}${partial ? '' : '\n'}`),
      );
    }),
    { numRuns: 300 },
  );
});

test('Decoder.decode leaves out damaged lines and reads foreign ones', () => {
  const text = [
    '{"log":"good\\n","stream":"stdout","time":"2026-01-01T00:00:00.12Z"}',
    '{"log":"cut',
    '\0\0\0\0',
    '{"stream":"stderr","log":"other order\\n","time":"2026-01-01T01:00:00.12+01:00","more":1}',
    '[]',
    '',
  ].join('\n');
  const found: Entry[] = [];
  assert.equal(new Decoder().decode(Buffer.from(text), 0, found, 100), text.length);
  assert.deepEqual(found.map(plain), [
    { time, source: 'stdout', line: 'good', partial: false },
    { time, source: 'stderr', line: 'other order', partial: false },
  ]);
});

const badOptions: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ zz: '1' }, /^unknown log opt 'zz' for json-file log driver$/],
  [{ 'max-size': '-1' }, /max-size=-1: must be a positive size/],
  [{ 'max-size': '0' }, /max-size=0/],
  [{ 'max-size': 'ten' }, /max-size=ten/],
  [{ 'max-file': '0' }, /max-file cannot be less than 1/],
  [{ compress: 'true' }, /compress cannot be true when max-file is less than 2 or max-size is not set/],
  [{ compress: 'maybe' }, /compress=maybe/],
  [{ mode: 'sometimes' }, /logging mode not supported: sometimes/],
  [{ 'max-buffer-size': '1m' }, /only supported with 'mode=non-blocking'/],
  [{ 'labels-regex': '(' }, /labels-regex/],
  [{ tag: '{{.Nope}}' }, /\{\{\.Nope\}\}/],
];
for (const [options, message] of badOptions) {
  test(`JsonFileDriver.validate refuses ${JSON.stringify(options)}`, async () => {
    await assert.rejects(new JsonFileDriver().validate({ options }), { code: 'invalid_argument', message });
  });
}

test('JsonFileDriver.validate takes Docker’s options', async () => {
  const options = { 'max-size': '10m', 'max-file': '3', compress: 'true', mode: 'non-blocking', 'max-buffer-size': '4m', tag: '{{.Name}}' };
  await new JsonFileDriver().validate({ options: { ...options, labels: 'a,b', env: 'A', 'labels-regex': '^x', 'env-regex': '^Y' } });
});

for (const compress of ['false', 'true']) {
  test(`LogFile rotates at max-size and keeps max-file files, compress=${compress}; reading, tail and a follower see all that is left`, async () => {
    await using folder = temporaryFolder();
    const driver = new JsonFileDriver();
    const container = loggedInfo(folder.path);
    const options = { 'max-size': '10k', 'max-file': '4', compress };
    const stream = feed(driver, { container, options });
    await stream.send(['start']);
    const following = readTexts(driver, { container, options, follow: true });
    for (let batch = 0; batch < 80; batch += 1) {
      await stream.send(Array.from({ length: 10 }, (_, index) => `${batch * 10 + index}`));
      await sleep(2);
    }
    await stream.close();
    assert.deepEqual(await following, ['start', ...Array.from({ length: 800 }, (_, index) => `${index}`)]);
    const name = `${container.id}-json.log`;
    await until(() => readdirSync(container.dir).every((file) => !file.endsWith('.tmp') && (compress === 'false' || !/\.\d$/.test(file))));
    const suffix = compress === 'true' ? '.gz' : '';
    assert.deepEqual(
      readdirSync(container.dir).toSorted(),
      [name, `${name}.1${suffix}`, `${name}.2${suffix}`, `${name}.3${suffix}`, `${name}.place`].toSorted(),
    );
    assert.ok(readdirSync(container.dir).every((file) => statSync(join(container.dir, file)).size < 10_000 + 100));
    const left = await readTexts(driver, { container, options });
    assert.ok(left.length > 350 && left.length < 800);
    assert.equal(left.at(-1), '799');
    assert.deepEqual(
      left,
      Array.from({ length: left.length }, (_, index) => `${800 - left.length + index}`),
    );
    assert.deepEqual(await readTexts(driver, { container, options, tail: 300 }), left.slice(-300));
    assert.deepEqual(await readTexts(driver, { container, options, tail: 5 }), left.slice(-5));
  });
}

test('LogFile with max-file 1 starts again at max-size', async () => {
  await using folder = temporaryFolder();
  const driver = new JsonFileDriver();
  const container = loggedInfo(folder.path);
  const options = { 'max-size': '2k' };
  const stream = feed(driver, { container, options });
  for (let index = 0; index < 100; index += 1) await stream.send([`${index}`]);
  await stream.close();
  assert.deepEqual(readdirSync(container.dir).length, 2);
  assert.equal((await readTexts(driver, { container, options })).at(-1), '99');
});

test('LogFile drops what a killed engine wrote but did not note, when it comes again, and only then', async () => {
  await using folder = temporaryFolder();
  const container = loggedInfo(folder.path);
  const path = join(container.dir, `${container.id}-json.log`);
  const open = () => new LogFile({ container, options: {}, streamId: 's:1', format: jsonFormat, files: oneFile }, () => {});
  const entries = (...texts: readonly string[]): Entry[] =>
    texts.map((text) => ({ time, source: 'stdout', line: Buffer.from(text), partial: false }));
  {
    using file = open();
    await file.append(1, entries('1', '2'));
  }
  const noted = readFileSync(path);
  appendFileSync(path, noted.subarray(0, 40));
  {
    using file = open();
    assert.equal(file.seq, 2);
    await file.append(3, entries('3'));
  }
  assert.equal(readFileSync(path, 'utf8').split('\n').length, 4);
  appendFileSync(path, 'somebody else wrote this\n');
  using file = open();
  await file.append(9, entries('9'));
  assert.match(readFileSync(path, 'utf8'), /somebody else wrote this\n\{"log":"9/);
});

test('LogFile repeats nothing when it is killed between the first write of a stream and its note', async () => {
  await using folder = temporaryFolder();
  const container = loggedInfo(folder.path);
  const path = join(container.dir, `${container.id}-json.log`);
  const first: Entry[] = [{ time, source: 'stdout', line: Buffer.from('first'), partial: false }];
  for (const [index, streamId] of ['s:1', 's:2'].entries()) {
    const open = () => new LogFile({ container, options: {}, streamId, format: jsonFormat, files: oneFile }, () => {});
    using killed = open();
    const note = readFileSync(`${path}.place`);
    await killed.append(1, first);
    writeFileSync(`${path}.place`, note);
    using next = open();
    await next.append(1, first);
    assert.equal(readFileSync(path, 'utf8').split('\n').length - 1, index + 1);
  }
});

test('LogFile goes on when its note is damaged or its file is gone', async () => {
  await using folder = temporaryFolder();
  const driver = new JsonFileDriver();
  const container = loggedInfo(folder.path);
  const path = join(container.dir, `${container.id}-json.log`);
  for (const spoil of [() => {}, () => writeFileSync(`${path}.place`, '{"seq":'), () => rmSync(path)]) {
    spoil();
    const stream = feed(driver, { container, options: {} });
    await stream.send(['x']);
    await stream.close();
  }
  assert.ok(existsSync(path));
});

test('JsonFileDriver.read shows entries of before and after a rotation to a follower that is slow', async () => {
  await using folder = temporaryFolder();
  const driver = new JsonFileDriver();
  const container = loggedInfo(folder.path);
  const options = { 'max-size': '3k', 'max-file': '1000' };
  const stream = feed(driver, { container, options });
  await stream.send(['0']);
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { entries } of driver.read(request({ container, options, follow: true }), logContext)) {
      seen.push(...entries.map(({ line }) => line.toString()));
      await sleep(5);
    }
  })();
  for (let index = 1; index < 600; index += 1) await stream.send([`${index}`]);
  await stream.close();
  await reading;
  assert.deepEqual(
    seen,
    Array.from({ length: 600 }, (_, index) => `${index}`),
  );
});

const oneFile = { maxBytes: Number.POSITIVE_INFINITY, maxFiles: 1, compress: false };

function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), 'json-file-'));
  return { path, [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true }) };
}

type Target = Pick<ReadRequest, 'container' | 'options'>;

function request(query: Target & Partial<ReadRequest>): ReadRequest {
  return { follow: false, stdout: true, stderr: true, ...query };
}

async function readTexts(driver: JsonFileDriver, query: Target & Partial<ReadRequest>): Promise<readonly string[]> {
  const answers = await Array.fromAsync(driver.read(request(query), logContext));
  return answers.flatMap(({ entries }) => entries.map(({ line }) => line.toString()));
}

/** One stream, batch by batch. */
function feed(driver: JsonFileDriver, { container, options }: Target) {
  const queue: Parameters<JsonFileDriver['write']>[0] extends AsyncIterable<infer Request> ? Request[] : never = [
    { kind: 'open', streamId: 's:1', container, options },
  ];
  let wake = (): void => {};
  let acked = (): void => {};
  let seq = 0;
  async function* requests() {
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  const writing = (async () => {
    for await (const { ackedSeq } of driver.write(requests())) if (ackedSeq >= seq) acked();
  })();
  return {
    async send(texts: readonly string[]): Promise<void> {
      const entries = texts.map((text): Entry => ({ time, source: 'stdout', line: Buffer.from(text), partial: false }));
      queue.push({ kind: 'batch', firstSeq: seq + 1, entries, droppedBefore: 0 });
      seq += entries.length;
      const done = new Promise<void>((resolve) => (acked = resolve));
      wake();
      await Promise.race([done, writing]);
    },
    async close(): Promise<void> {
      queue.push({ kind: 'close', flushDeadlineMs: 1_000 });
      wake();
      await writing;
    },
  };
}

function plain({ line, ...rest }: Entry) {
  return { ...rest, line: line.toString() };
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries += 1) {
    assert.ok(tries < 500, 'it did not come true');
    await sleep(10);
  }
}
