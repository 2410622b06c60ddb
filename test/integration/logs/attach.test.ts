import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Attached, AttachOptions } from '@gantry/sdk/engine';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { collect } from '../../support/engine/lifecycle.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

let engine: EngineUnderTest;
before(async () => {
  engine = await EngineUnderTest.open();
});
after(() => engine[Symbol.asyncDispose]());

const all: AttachOptions = { stdin: false, stdout: true, stderr: true, stream: true, logs: true };

const numbers = (count: number): string => Array.from({ length: count }, (_, index) => `${index + 1}\n`).join('');

for (const [driver, config] of [
  ['json-file', {}],
  ['local', {}],
  ['json-file', { 'max-size': '1m', 'max-file': '40' }],
  ['syslog', { 'syslog-address': 'udp://127.0.0.1:9' }],
] as const)
  test(`attach() with logs and stream gives every line once, with ${driver} ${JSON.stringify(config)}`, async () => {
    const count = 60_000;
    const hostConfig = { LogConfig: { Type: driver, Config: config } };
    const script = `i=0; while [ $i -lt ${count} ]; do i=$((i + 1)); echo $i; done; read x`;
    await using container = await engine.created(script, { hostConfig, config: { OpenStdin: true } });
    const { containers } = engine.engine;
    const { result } = containers.wait(container.id, 'next-exit');
    await containers.start(container.id);
    const outputs: Promise<{ readonly stdout: string }>[] = [];
    for (let round = 0; round < 4; round += 1) {
      outputs.push(collect((await containers.attach(container.id, all)).output));
      await sleep(60);
    }
    await using typed = await containers.attach(container.id, { ...all, stdin: true });
    await typed.write(Buffer.from('x\n'));
    await result;
    for (const { stdout } of await Promise.all(outputs)) assert.ok(stdout === numbers(count), `${stdout.length} bytes`);
  });

test('attach() with logs and stream gives what a driver has of before the spool, and of earlier runs', async () => {
  const script = `yes ${'y'.repeat(999)} | head -n 30000; echo end; read x`;
  await using container = await engine.created(script, { config: { OpenStdin: true } });
  const { containers } = engine.engine;
  for (let run = 1; run <= 2; run += 1) {
    await containers.start(container.id);
    await until(async () => (await logged(container.id, 1)) === 'end\n');
    const attached = await containers.attach(container.id, { ...all, stdin: true });
    const output = collect(attached.output);
    await attached.write(Buffer.from('x\n'));
    await containers.wait(container.id, 'not-running').result;
    const { stdout } = await output;
    assert.equal(stdout.length, run * (30_000 * 1_000 + 4));
    await attached[Symbol.asyncDispose]();
  }
});

test('attach() is answered when the monitor has accepted it: what is written then comes, however slow the monitor was', async () => {
  await using container = await engine.created('read x; echo seen', { config: { OpenStdin: true } });
  const { containers } = engine.engine;
  await containers.start(container.id);
  const monitor = monitorOf(container.id);
  const only: AttachOptions = { ...all, logs: false };
  const attaching: Promise<Attached>[] = [];
  {
    using _stopped = stopped(monitor);
    for (let client = 0; client < 20; client += 1) attaching.push(containers.attach(container.id, only));
    assert.equal(await Promise.race([...attaching, sleep(100, 'waits')]), 'waits');
  }
  const outputs = (await Promise.all(attaching)).map(({ output }) => collect(output));
  await using typed = await containers.attach(container.id, { ...only, stdin: true });
  await typed.write(Buffer.from('x\n'));
  for (const { stdout } of await Promise.all(outputs)) assert.equal(stdout, 'seen\n');
});

test('attach() with logs and stream gives a line that is not ended, and what is typed', async () => {
  const config = { OpenStdin: true, Tty: true };
  await using container = await engine.created('printf "name? "; read name; echo "hello $name"', { config });
  const { containers } = engine.engine;
  await containers.start(container.id);
  await sleep(300);
  await using attached = await containers.attach(container.id, { ...all, stdin: true });
  let seen = '';
  const read = (async () => {
    for await (const { data } of attached.output) seen += data.toString();
  })();
  await until(async () => seen === 'name? ');
  await attached.write(Buffer.from('you\n'));
  await read;
  assert.equal(seen.replaceAll('\r', ''), 'name? you\nhello you\n');
});

test('attach() with logs to a container that does not run gives its log, and then all of the next run', async () => {
  await using container = await engine.created('echo run');
  const { containers } = engine.engine;
  const run = async () => {
    const { result } = containers.wait(container.id, 'next-exit');
    await containers.start(container.id);
    await result;
  };
  await run();
  const output = collect((await containers.attach(container.id, all)).output);
  await run();
  assert.equal((await output).stdout, 'run\nrun\n');
});

test('attach() with logs to a container that is just ending gives all of its run', async () => {
  const { containers } = engine.engine;
  for (let round = 0; round < 20; round += 1) {
    await using container = await engine.created('echo run');
    await containers.start(container.id);
    const outputs: Promise<{ readonly stdout: string }>[] = [];
    while (containers.inspect(container.id).state.running) {
      outputs.push(collect((await containers.attach(container.id, all)).output));
      await nextTurn();
    }
    for (const { stdout } of await Promise.all(outputs)) assert.equal(stdout, 'run\n');
  }
});

test('a reader that leaves, or does not read, keeps no container and no file', async () => {
  await using container = await engine.created(`yes ${'y'.repeat(999)} | head -n 30000`);
  const { containers } = engine.engine;
  const { result } = containers.wait(container.id, 'next-exit');
  await containers.start(container.id);
  const idle = await containers.attach(container.id, all);
  const leaving = await containers.attach(container.id, all);
  const first = leaving.output[Symbol.asyncIterator]();
  await first.next();
  await leaving[Symbol.asyncDispose]();
  await first.return?.();
  assert.equal((await result).exitCode, 0);
  await idle[Symbol.asyncDispose]();
});

async function logged(id: string, tail: number): Promise<string> {
  const { lines } = await engine.engine.containers.logs(id, { stdout: true, stderr: true, tail });
  let text = '';
  for await (const batch of lines) for (const { data } of batch) text += data.toString();
  return text;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const began = Date.now(); !(await isSo()); await sleep(20)) assert.ok(Date.now() - began < 60_000);
}

function stopped(pid: number): Disposable {
  process.kill(pid, 'SIGSTOP');
  return { [Symbol.dispose]: () => process.kill(pid, 'SIGCONT') };
}

/** Its conmon. */
function monitorOf(id: string): number {
  const found = readdirSync('/proc').find((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words[0]?.endsWith('conmon') === true && words.includes(id);
  });
  assert.ok(found, 'a monitor runs');
  return Number(found);
}
