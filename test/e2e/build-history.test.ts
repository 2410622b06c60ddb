import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { askControl } from '../support/clients/buildkit-control.ts';
import { type BuildxClient, openBuildx, whyNoBuildx } from '../support/clients/buildx-client.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { missing: whyNoBuildx() });

const options = { timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'build-history-'));
let daemon: Daemon;
let client: BuildxClient;
before(async () => {
  ({ daemon, client } = await openBuildx(folder));
});
after(() => daemon[Symbol.asyncDispose]());

interface Record {
  readonly Ref: string;
  readonly FrontendAttrs: Readonly<globalThis.Record<string, string>>;
  readonly ExporterResponse: Readonly<globalThis.Record<string, string>>;
  readonly error: { readonly code: number; readonly message: string } | null;
  readonly CompletedAt: object | null;
  readonly pinned: boolean;
  readonly numCachedSteps: number;
  readonly numTotalSteps: number;
  readonly numCompletedSteps: number;
}
interface Event {
  readonly type: 'STARTED' | 'COMPLETE' | 'DELETED';
  readonly record: Record;
}

function listen(value: object): AsyncGenerator<Event, void> {
  const what = { request: 'BuildHistoryRequest', value, answer: 'BuildHistoryEvent' };
  return askControl<Event>(daemon.places.socketPath, 'ListenBuildHistory', what);
}

async function update(value: object): Promise<void> {
  const what = { request: 'UpdateBuildHistoryRequest', value, answer: 'UpdateBuildHistoryResponse' };
  await Array.fromAsync(askControl(daemon.places.socketPath, 'UpdateBuildHistory', what));
}

interface Told {
  readonly vertexes: readonly { readonly name: string; readonly cached: boolean; readonly error: string }[];
  readonly logs: readonly { readonly msg: Uint8Array }[];
}

async function logsOf(Ref: string): Promise<{ readonly names: readonly string[]; readonly text: string; readonly error: string }> {
  const what = { request: 'StatusRequest', value: { Ref }, answer: 'StatusResponse' };
  const told = await Array.fromAsync(askControl<Told>(daemon.places.socketPath, 'Status', what));
  const vertexes = told.flatMap((each) => each.vertexes);
  return {
    names: [...new Set(vertexes.map(({ name }) => name))],
    text: told.flatMap(({ logs }) => logs.map(({ msg }) => Buffer.from(msg).toString())).join(''),
    error: vertexes.map(({ error }) => error).join(''),
  };
}

async function gantry(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const program = join(import.meta.dirname, '../../core/bin/gantry.mjs');
  const env = { ...process.env, GANTRY_HOST: `unix://${daemon.places.socketPath}`, DOCKER_CONFIG: folder };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = await once(child, 'close');
  return { code: Number(code), stdout, stderr };
}

test("BuildKit's history has what both builders built, how it went and what it told, also after a restart", options, async () => {
  const path = client.context({
    Dockerfile: 'FROM busybox\nARG N\nRUN echo "n=$N"\nRUN echo two\n',
    Wrong: 'FROM busybox\nRUN echo before; exit 3\n',
  });
  await client.succeeds(['buildx', 'build', '-t', 'first:1', '--build-arg', 'N=7', path]);
  await client.succeeds(['buildx', 'build', '--build-arg', 'N=7', path]);
  assert.notEqual((await client.docker(['buildx', 'build', '-f', join(path, 'Wrong'), path])).code, 0);
  await client.succeeds(['build', '-t', 'classic', path], { env: { DOCKER_BUILDKIT: '0' } });
  const events = await Array.fromAsync(listen({ EarlyExit: true }));
  assert.deepEqual(
    events.map(({ type, record }) => [
      type,
      record.ExporterResponse['image.name'] ?? '',
      record.numCachedSteps,
      record.numCompletedSteps,
      record.numTotalSteps,
    ]),
    [
      ['COMPLETE', 'classic:latest', 2, 4, 4],
      ['COMPLETE', '', 1, 2, 2],
      ['COMPLETE', '', 4, 4, 4],
      ['COMPLETE', 'first:1', 1, 4, 4],
    ],
  );
  const [classic, wrong, , first] = events.map(({ record }) => record);
  assert.ok(classic !== undefined && wrong !== undefined && first !== undefined);
  assert.equal(first.FrontendAttrs['build-arg:N'], '7');
  assert.equal(
    `${first.ExporterResponse['containerimage.digest']}\n`,
    (await client.succeeds(['inspect', '-f', '{{.Id}}', 'first:1'])).stdout,
  );
  assert.match(wrong.error?.message ?? '', /returned a non-zero code: 3\n  Wrong:2 \| RUN/);
  assert.equal(classic.FrontendAttrs['filename'], 'Dockerfile');

  const filtered = async (value: object) => (await Array.fromAsync(listen({ EarlyExit: true, ...value }))).map(({ record }) => record.Ref);
  assert.deepEqual(await filtered({ Filter: ['status==error'] }), [wrong.Ref]);
  assert.deepEqual(await filtered({ Filter: ['status==completed,startedAt>=1h'], Limit: 1 }), [classic.Ref]);
  assert.deepEqual(await filtered({ Filter: ['completedAt<1h'] }), []);
  assert.deepEqual(await filtered({ ActiveOnly: true }), []);
  assert.deepEqual(await filtered({ Ref: first.Ref }), [first.Ref]);
  await assert.rejects(filtered({ Filter: ['size>3'] }), /status 3: filter "size>3" is not supported/);
  await assert.rejects(filtered({ Limit: -1 }), /status 3: invalid limit -1/);

  const checks = async (): Promise<void> => {
    const told = await logsOf(first.Ref);
    assert.deepEqual(told.names, ['[1/4] FROM busybox', '[2/4] ARG N', '[3/4] RUN echo "n=$N"', '[4/4] RUN echo two']);
    assert.equal(told.text, 'n=7\ntwo\n');
    const failed = await logsOf(wrong.Ref);
    assert.equal(failed.text, 'before\n');
    assert.match(failed.error, /returned a non-zero code: 3/);
  };
  await checks();
  await daemon[Symbol.asyncDispose]();
  daemon = await Daemon.start({ folder: join(folder, 'engine') });
  await checks();
  assert.equal((await filtered({})).length, 4);
});

test("BuildKit's history tells what begins, ends and goes while it is listened to; records are kept and removed", options, async () => {
  const heard: string[] = [];
  const listening = (async () => {
    for await (const { type, record } of listen({ ActiveOnly: true })) {
      heard.push(`${type} ${record.CompletedAt === null ? 'runs' : 'is over'}${record.pinned ? ', kept' : ''}`);
      if (type === 'DELETED') return record.Ref;
    }
    return '';
  })();
  const child = spawn('docker', ['buildx', 'build', client.context({ Dockerfile: 'FROM busybox\nRUN echo begun; sleep 300\n' })], {
    env: client.environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  while (!/\d begun/.test(said)) await new Promise((resolve) => setTimeout(resolve, 20));
  const [running] = await Array.fromAsync(listen({ ActiveOnly: true, EarlyExit: true }));
  assert.equal(running?.type, 'STARTED');
  const Ref = running.record.Ref;
  await assert.rejects(update({ Ref, Delete: true }), /status 9: build \w+ still runs/);
  // Whoever follows a build that runs hears all of it, and of its end.
  const followed = logsOf(Ref);
  child.kill('SIGINT');
  await exited;
  assert.equal((await followed).text, 'begun\n');
  let [over] = await Array.fromAsync(listen({ Ref, EarlyExit: true }));
  while (over?.type !== 'COMPLETE') [over] = await Array.fromAsync(listen({ Ref, EarlyExit: true }));
  assert.deepEqual(over.record.error, { code: 1, message: 'context canceled' });
  await update({ Ref, Pinned: true });
  await update({ Ref, Finalize: true });
  await update({ Ref, Delete: true });
  assert.equal(await listening, Ref);
  assert.deepEqual(heard, ['STARTED runs', 'COMPLETE is over', 'COMPLETE is over, kept', 'DELETED is over, kept']);
  await assert.rejects(update({ Ref, Pinned: true }), /status 5: no build/);
  await assert.rejects(update({ Ref: 'none', Delete: true }), /status 5: no build "none"/);
});

test('gantry builder ls, inspect, logs, keep and rm have the same history', options, async () => {
  const { stdout } = await gantry('builder', 'ls');
  assert.match(stdout, /^BUILD +NAME +STATUS +STEPS +CREATED +DURATION\n/);
  assert.match(stdout, /\n\w+ +classic:latest +completed +4\/4 \(2 cached\) +.* ago +\d+\.\ds\n/);
  assert.match(stdout, /\n\w+ +\S+ +error +2\/2 \(1 cached\)/);
  const rows = (await gantry('builder', 'ls', '--format', 'json')).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { ID: string; Status: string; Name: string });
  const [classic, wrong] = [
    rows.find(({ Name }) => Name === 'classic:latest')?.ID ?? '',
    rows.find(({ Status }) => Status === 'error')?.ID ?? '',
  ];
  assert.match(
    (await gantry('builder', 'logs', classic)).stdout,
    /^Step 1\/4 : FROM busybox\n[\s\S]*\ntwo\n[\s\S]*Successfully tagged classic:latest\n$/,
  );
  const failed = await gantry('builder', 'logs', wrong);
  assert.equal(failed.code, 1);
  assert.match(failed.stdout, /\nbefore\n/);
  assert.match(failed.stderr, /^gantry: The command .* returned a non-zero code: 3\n  Wrong:2 \| RUN/);
  const [found] = JSON.parse((await gantry('builder', 'inspect', classic.slice(0, 24))).stdout) as readonly {
    readonly tags: readonly string[];
    readonly steps: object;
  }[];
  assert.deepEqual([found?.tags, found?.steps], [['classic:latest'], { total: 4, completed: 4, cached: 2 }]);
  assert.equal((await gantry('builder', 'keep', classic)).stdout, `${classic}\n`);
  assert.equal((await gantry('builder', 'rm', classic, 'none', wrong)).code, 1);
  assert.match((await gantry('builder', 'rm', 'none')).stderr, /^gantry: no such build: none\n/);
  assert.equal((await gantry('builder', 'ls', '-q')).stdout.trim().split('\n').length, 2);
});
