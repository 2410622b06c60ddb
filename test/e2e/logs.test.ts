import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

// What a container printed, as clients of the API read it, whichever driver keeps it.
let daemon: Daemon;
before(async () => {
  daemon = await Daemon.start({ folder: mkdtempSync(join(tmpdir(), 'logs-')) });
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});
after(() => daemon[Symbol.asyncDispose]());

const drivers: readonly string[] = ['json-file', 'local'];

for (const driver of drivers) {
  test(`logs kept by ${driver} have lines of every length whole, in frames of at most 16 KiB, and what has no end`, async () => {
    const lengths = [0, 1, 16_383, 16_384, 16_385, 32_768, 100_000, 1_048_576];
    const print = lengths.map((length) => `head -c ${length} /dev/zero | tr '\\0' ${length % 7}; echo`).join('; ');
    await using container = await runs(driver, `${print}; printf unfinished`);
    await container.ends();
    const all = await container.logs('stdout=1');
    assert.equal(
      Buffer.concat(all.map(({ data }) => data)).toString(),
      `${lengths.map((length) => String(length % 7).repeat(length)).join('\n')}\nunfinished`,
    );
    assert.ok(all.every(({ data }) => data.length <= 16_385));
    const stamped = text(await container.logs('stdout=1&timestamps=1&tail=1'));
    assert.match(stamped, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z unfinished$/);
  });

  test(`logs kept by ${driver} have any bytes`, async () => {
    const octal = Array.from({ length: 256 }, (_, byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
    await using container = await runs(driver, `printf '${octal}\\nend\\n'`);
    await container.ends();
    const bytes = Buffer.concat((await container.logs('stdout=1')).map(({ data }) => data));
    const wanted = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), Buffer.from('\nend\n')]);
    // JSON has text alone; what is none is replaced, as Docker does.
    assert.equal(bytes.toString(), wanted.toString());
    if (driver !== 'json-file') assert.ok(bytes.equals(wanted));
  });

  test(`logs kept by ${driver} are chosen by stream, tail, since and until, and told with their times and attributes`, async () => {
    const options = { labels: 'team', env: 'MODE' };
    const facts = { Labels: { team: 'a b' }, Env: ['MODE=x=y'] };
    await using container = await runs(driver, 'for i in 1 2 3 4; do echo out $i; echo err $i >&2; sleep 0.3; done', { options, facts });
    await container.ends();
    assert.equal(text(await container.logs('stdout=1')), 'out 1\nout 2\nout 3\nout 4\n');
    assert.equal(text(await container.logs('stderr=1')), 'err 1\nerr 2\nerr 3\nerr 4\n');
    assert.equal(text(await container.logs('stdout=1&stderr=1&tail=3')).split('\n').length, 4);
    assert.equal(text(await container.logs('stdout=1&tail=0')), '');
    const times = text(await container.logs('stdout=1&timestamps=1'))
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '');
    assert.deepEqual(times, times.toSorted());
    const [, second = '', third = ''] = times.map(unixTime);
    assert.equal(text(await container.logs(`stdout=1&since=${second}`)), 'out 2\nout 3\nout 4\n');
    assert.equal(text(await container.logs(`stdout=1&until=${third}`)), 'out 1\nout 2\nout 3\n');
    assert.equal(text(await container.logs(`stdout=1&since=${second}&until=${third}&tail=100`)), 'out 2\nout 3\n');
    assert.equal(text(await container.logs('stdout=1&details=1&tail=2')), 'MODE=x%3Dy,team=a%20b out 4\n');
  });

  test(`a follower of logs kept by ${driver} misses nothing while they are rotated and compressed`, async () => {
    const options = { 'max-size': '50k', 'max-file': '20', compress: 'true' };
    await using container = await runs(
      driver,
      'sleep 0.5; for i in $(seq 0 39); do seq $((i * 1000 + 1)) $((i * 1000 + 1000)); sleep 0.05; done',
      {
        options,
      },
    );
    const followed = text(await container.logs('stdout=1&follow=1'));
    const wanted = Array.from({ length: 40_000 }, (_, index) => `${index + 1}\n`).join('');
    assert.equal(followed.length, wanted.length);
    assert.equal(followed, wanted);
    await container.ends();
    const kept = text(await container.logs('stdout=1'));
    assert.ok(wanted.endsWith(kept) && kept.length > 50_000, `${kept.length} characters are left`);
  });
}

test('a follower hears of a line soon after it was printed', async () => {
  await using container = await runs('json-file', 'for i in $(seq 1 40); do echo line $i; sleep 0.1; done');
  const answer = await daemon.api.open('GET', `/containers/${container.id}/logs?stdout=1&follow=1&timestamps=1&tail=0`);
  const delays: number[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const now = Date.now();
    for (const [time] of chunk.toString('latin1').matchAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g)) delays.push(now - Date.parse(time));
  }
  const sorted = delays.toSorted((a, b) => a - b);
  assert.ok(sorted.length > 20);
  assert.ok((sorted[Math.floor(sorted.length / 2)] ?? Number.NaN) < 100, `delays in ms: ${sorted.join(' ')}`);
});

interface Frame {
  readonly stream: number;
  readonly data: Buffer;
}
interface Printing extends AsyncDisposable {
  readonly id: string;
  readonly ends: () => Promise<void>;
  readonly logs: (query: string) => Promise<readonly Frame[]>;
}
interface Wishes {
  readonly options?: Readonly<Record<string, string>>;
  readonly facts?: object;
}

async function runs(driver: string, script: string, { options = {}, facts = {} }: Wishes = {}): Promise<Printing> {
  const { api } = daemon;
  const HostConfig = { NetworkMode: 'none', LogConfig: { Type: driver, Config: options } };
  const json = { Image: 'busybox', Cmd: ['sh', '-c', script], StopSignal: 'SIGKILL', HostConfig, ...facts };
  const { Id: id } = await api.json<{ readonly Id: string }>('POST', '/containers/create', { json });
  await api.json('POST', `/containers/${id}/start`);
  return {
    id,
    ends: async () => void (await api.json('POST', `/containers/${id}/wait`)),
    logs: async (query) => framesOf(await api.open('GET', `/containers/${id}/logs?${query}`)),
    [Symbol.asyncDispose]: async () => void (await api.call('DELETE', `/containers/${id}?force=1`)),
  };
}

async function framesOf(answer: IncomingMessage): Promise<readonly Frame[]> {
  const bytes = Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>));
  assert.equal(answer.statusCode, 200, bytes.toString());
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    frames.push({ stream: bytes.readUInt8(at), data: bytes.subarray(at + 8, end) });
    at = end;
  }
  return frames;
}

function text(frames: readonly Frame[]): string {
  return Buffer.concat(frames.map(({ data }) => data)).toString();
}

/** "2026-01-01T00:00:00.123456789Z" as seconds with nanoseconds. */
function unixTime(time: string): string {
  return `${Math.floor(Date.parse(time) / 1e3)}.${/\.(\d{9})Z$/.exec(time)?.[1] ?? ''}`;
}
