import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import type { LogQuery } from '@gantry/sdk/engine';
import { MemoryLogDriver } from '@gantry/sdk/testing';
import type { Drivers } from '../../../core/drivers/index.ts';
import { type LoggedContainer, Logs } from '../../../core/logs/index.ts';
import { Database } from '../../../core/metadata/index.ts';
import { JsonFileDriver } from '../../../plugins/log/json-file/driver.ts';
import { openOci } from '../../support/plugins/exec-oci.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { loggedInfo } from '../../support/plugins/log-subject.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
before(async () => {
  // What stays once for all: the parent cgroup, libuv's one inotify descriptor.
  await using machine = await openMachine();
  await (await machine.run('memory', 'true')).ended;
});
leakGuard();

test('Logs has every line of a container that writes 20 MB and ends, also while it is followed', async () => {
  await using machine = await openMachine();
  const lines = 200_000;
  const text = 'x'.repeat(99);
  const container = await machine.run('json-file', `yes ${text} | head -n ${lines}`);
  const following = machine.count(container, { follow: true });
  await container.ended;
  const stopped = machine.logs.stop(container.logged.info.id);
  const read = machine.count(container);
  await stopped;
  assert.deepEqual(
    [await following, await read],
    [
      { lines, bytes: lines * 100 },
      { lines, bytes: lines * 100 },
    ],
  );
  assert.deepEqual(readdirSync(machine.logs.spool(container.logged.info.id).dir), []);
});

test('Logs asks the monitor for new spool files, so that what is delivered can be deleted while the container runs', async () => {
  await using machine = await openMachine();
  // Each burst is more than a file is to hold, and there is time after it.
  const burst = `yes ${'y'.repeat(999)} | head -n 10000; sleep 1`;
  const container = await machine.run('memory', `${burst}; ${burst}; ${burst}; ${burst}; read x`, { openStdin: true });
  const { dir } = machine.logs.spool(container.logged.info.id);
  await machine.until(() => machine.memory.entries(container.logged.info.id).length === 40_000);
  await machine.until(() => Math.max(0, ...numbers(dir)) > 2 && numbers(dir).length <= 2);
  await machine.stop(container);
});

test('Logs splits and joins what a container writes without newlines, with a terminal and on both streams', async () => {
  await using machine = await openMachine();
  const container = await machine.run(
    'json-file',
    'printf "no newline"; sleep 0.1; printf " yet\\n"; echo err >&2; head -c 100000 /dev/zero | tr "\\0" z; printf "\\nend"',
  );
  await container.ended;
  await machine.logs.stop(container.logged.info.id);
  const found = (await machine.read(container)).map(({ source, data }) => [source, data.toString()]);
  const out = found.flatMap(([source, text = '']) => (source === 'stdout' ? [text] : [])).join('');
  assert.equal(out, `no newline yet\n${'z'.repeat(100_000)}\nend`);
  assert.deepEqual(
    found.filter(([source]) => source === 'stderr'),
    [['stderr', 'err\n']],
  );
});

interface Running {
  readonly logged: LoggedContainer;
  readonly ended: Promise<void>;
}

async function openMachine() {
  const folder = mkdtempSync(join(tmpdir(), 'logs-'));
  const oci = await openOci();
  const database = new Database(join(folder, 'metadata.db'));
  const memory = new MemoryLogDriver();
  const byName = { memory, 'json-file': new JsonFileDriver() };
  const drivers = { get: async (_: string, name: keyof typeof byName) => byName[name] } as unknown as Drivers;
  const logs = new Logs({ database, drivers, dataRoot: folder, log: quietLog });
  const until = async (isTrue: () => boolean): Promise<void> => {
    for (let tries = 0; !isTrue(); tries += 1) {
      assert.ok(tries < 1_000, `${isTrue.toString()} did not come true`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const running = new Map<Running, { readonly id: string }>();
  const read = async ({ logged }: Running, query: Partial<LogQuery> = {}) => {
    const stream = await logs.query(logged, { stdout: true, stderr: true, ...query }, () => query.follow === true);
    return (await Array.fromAsync(stream.lines)).flat();
  };
  const stop = async (container: Running): Promise<void> => {
    const request = running.get(container);
    running.delete(container);
    if (request !== undefined) await oci.driver.delete({ id: request.id, force: true }, oci.ctx);
    await logs.stop(container.logged.info.id);
  };
  return {
    logs,
    memory,
    until,
    read,
    stop,
    async run(driver: string, script: string, { openStdin = false } = {}): Promise<Running> {
      const request = oci.container({ script, openStdin });
      const info = loggedInfo(folder, { id: request.id });
      const spool = logs.spool(info.id);
      const { streams } = await oci.driver.create({ ...request, spoolDir: spool.dir, spoolMaxBytes: spool.maxBytes }, oci.ctx);
      const { control } = streams;
      const logged = { info, driver, options: {}, tty: false, ...(control === undefined ? {} : { control }) };
      logs.start(logged);
      const ended = exitOf(request.id);
      const container: Running = { logged, ended };
      running.set(container, request);
      await oci.driver.start(request, oci.ctx);
      return container;
    },
    async count(container: Running, query: Partial<LogQuery> = {}) {
      const found = await read(container, query);
      return { lines: found.length, bytes: found.reduce((sum, { data }) => sum + data.length, 0) };
    },
    async [Symbol.asyncDispose]() {
      for (const container of running.keys()) await stop(container);
      await logs[Symbol.asyncDispose]();
      database[Symbol.dispose]();
      await oci[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };

  async function exitOf(id: string): Promise<void> {
    for await (const exit of oci.driver.watch({ after: 0 }, oci.ctx)) if (exit.id === id && exit.execId === undefined) return;
  }
}

function numbers(dir: string): readonly number[] {
  return readdirSync(dir).flatMap((name) => (/^ctr\.log\.\d+$/.test(name) ? [Number(name.slice('ctr.log.'.length))] : []));
}
