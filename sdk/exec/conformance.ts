import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectSeqpacket } from '../linux/index.ts';
import type { Ctx } from '../types/index.ts';
import type { CreateRequest, ExecDriver, ExecRequest, ExitEvent, Streams } from './contract.ts';

/** A container to be: a bundle with a busybox tree whose program is a shell script. */
export interface ContainerOptions {
  readonly script?: string;
  /** Instead of a script. */
  readonly args?: readonly string[];
  readonly tty?: boolean;
  readonly openStdin?: boolean;
  readonly stdinOnce?: boolean;
}
/** A driver under test. `restart` ends the plugin and starts it again over the same folders. */
export interface ExecUnderTest {
  readonly driver: ExecDriver;
  readonly ctx: Ctx;
  readonly container: (options: ContainerOptions) => CreateRequest;
  readonly exec: (container: CreateRequest, options: ContainerOptions & { readonly detached?: boolean }) => ExecRequest;
  readonly restart: () => Promise<ExecDriver>;
}
export interface ExecCase {
  readonly name: string;
  readonly run: (subject: ExecUnderTest) => Promise<void>;
}

/** What every exec driver must do, by named case; a case deletes its containers. */
export const execCases: readonly ExecCase[] = Object.entries({
  'create.waits': async (subject) => {
    await using container = await create(subject, { script: 'echo hi' });
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'created');
    assert.ok(container.pid > 0);
  },
  'create.again-is-the-same': async (subject) => {
    await using container = await create(subject, { script: 'true' });
    assert.equal((await subject.driver.create(container.request, subject.ctx)).pid, container.pid);
  },
  'create.failure-leaves-nothing': async (subject) => {
    const request = subject.container({ args: ['/no/such/program'] });
    await assert.rejects(subject.driver.create(request, subject.ctx), { reason: 'COMMAND_NOT_FOUND' });
    assert.equal((await subject.driver.state({ id: request.id }, subject.ctx)).status, 'unknown');
    await subject.driver.delete({ id: request.id, force: true }, subject.ctx);
  },
  'create.not-executable': async (subject) => {
    await assert.rejects(subject.driver.create(subject.container({ args: ['/etc/passwd'] }), subject.ctx), {
      reason: 'COMMAND_NOT_EXECUTABLE',
    });
  },
  'start.exit-code': async (subject) => {
    await using container = await create(subject, { script: 'exit 7' });
    const exit = nextExit(subject, container.id);
    await subject.driver.start(container, subject.ctx);
    assert.equal((await exit).exitCode, 7);
    const state = await subject.driver.state(container, subject.ctx);
    assert.deepEqual([state.status, state.exitCode], ['stopped', 7]);
  },
  'start.twice': async (subject) => {
    await using container = await create(subject, { script: 'sleep 60' });
    await subject.driver.start(container, subject.ctx);
    await refuses('conflict', subject.driver.start(container, subject.ctx));
  },
  'spool.has-the-output': async (subject) => {
    await using container = await create(subject, { script: 'echo one; echo two >&2' });
    await finish(subject, container.id);
    const lines = readFileSync(`${container.request.spoolDir}/ctr.log`, 'utf8').trim().split('\n');
    assert.deepEqual(lines.map((line) => line.split(' ').slice(1).join(' ')).toSorted(), ['stderr F two', 'stdout F one']);
  },
  'signal.128-plus': async (subject) => {
    await using container = await create(subject, { script: 'sleep 60' });
    await subject.driver.start(container, subject.ctx);
    const exit = nextExit(subject, container.id);
    await subject.driver.signal({ id: container.id, signal: 9 }, subject.ctx);
    assert.equal((await exit).exitCode, 137);
    await refuses('conflict', subject.driver.signal({ id: container.id, signal: 9 }, subject.ctx));
  },
  'watch.replays': async (subject) => {
    await using container = await create(subject, { script: 'exit 5' });
    await finish(subject, container.id);
    assert.equal((await nextExit(subject, container.id)).exitCode, 5);
  },
  'watch.survives-a-restart': async (subject) => {
    await using container = await create(subject, { script: 'sleep 60' });
    await subject.driver.start(container, subject.ctx);
    const again = { ...subject, driver: await subject.restart() };
    assert.equal((await again.driver.state(container, subject.ctx)).status, 'running');
    const exit = nextExit(again, container.id);
    await again.driver.signal({ id: container.id, signal: 9 }, subject.ctx);
    assert.equal((await exit).exitCode, 137);
    await again.driver.delete({ id: container.id, force: false }, subject.ctx);
  },
  'delete.running-needs-force': async (subject) => {
    await using container = await create(subject, { script: 'sleep 60' });
    await subject.driver.start(container, subject.ctx);
    await refuses('conflict', subject.driver.delete({ id: container.id, force: false }, subject.ctx));
    await subject.driver.delete({ id: container.id, force: true }, subject.ctx);
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'unknown');
    await subject.driver.delete({ id: container.id, force: false }, subject.ctx);
  },
  'delete.created': async (subject) => {
    await using container = await create(subject, { script: 'true' });
    await subject.driver.delete({ id: container.id, force: true }, subject.ctx);
    await gone(container.pid);
  },
  'attach.output-and-input': async (subject) => {
    await using container = await create(subject, { script: 'read line; echo "got $line"; echo bad >&2', openStdin: true });
    await using client = await connectSeqpacket(socketOf(container.streams));
    await subject.driver.start(container, subject.ctx);
    await client.write(Buffer.from('hello\n'));
    assert.deepEqual(await collect(client), { stdout: 'got hello\n', stderr: 'bad\n' });
  },
  'attach.end-of-stdin': async (subject) => {
    await using container = await create(subject, { script: 'cat; echo end', openStdin: true, stdinOnce: true });
    await using client = await connectSeqpacket(socketOf(container.streams));
    await subject.driver.start(container, subject.ctx);
    await client.write(Buffer.from('hello\n'));
    await client.shutdownWrite();
    assert.deepEqual(await collect(client), { stdout: 'hello\nend\n', stderr: '' });
  },
  'attach.many-clients': async (subject) => {
    await using container = await create(subject, { script: 'echo all' });
    const clients = await Promise.all(Array.from({ length: 5 }, () => connectSeqpacket(socketOf(container.streams))));
    await subject.driver.start(container, subject.ctx);
    for (const client of clients) assert.equal((await collect(client)).stdout, 'all\n');
    for (const client of clients) client.close();
  },
  'tty.size': async (subject) => {
    await using container = await create(subject, { script: 'read line; stty size', tty: true, openStdin: true });
    await using client = await connectSeqpacket(socketOf(container.streams));
    await subject.driver.start(container, subject.ctx);
    await subject.driver.resize({ id: container.id, rows: 33, columns: 99 }, subject.ctx);
    await client.write(Buffer.from('go\r'));
    assert.match((await collect(client)).stdout, /33 99/);
  },
  'exec.output-and-code': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { script: 'echo out; echo err >&2; exit 9' });
    const exit = nextExit(subject, container.id, exec.execId);
    const { streams } = await subject.driver.exec(exec, subject.ctx);
    await using client = await connectSeqpacket(socketOf(streams));
    const { pid } = await subject.driver.execStart(exec, subject.ctx);
    assert.ok(pid > 0);
    assert.deepEqual(await collect(client), { stdout: 'out\n', stderr: 'err\n' });
    assert.equal((await exit).exitCode, 9);
    await subject.driver.execDelete(exec, subject.ctx);
  },
  'exec.input': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { script: 'cat', openStdin: true });
    const { streams } = await subject.driver.exec(exec, subject.ctx);
    await using client = await connectSeqpacket(socketOf(streams));
    await subject.driver.execStart(exec, subject.ctx);
    await client.write(Buffer.from('in'));
    await client.shutdownWrite();
    assert.equal((await collect(client)).stdout, 'in');
    await subject.driver.execDelete(exec, subject.ctx);
  },
  'exec.detached': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { script: 'exit 4', detached: true });
    const exit = nextExit(subject, container.id, exec.execId);
    assert.ok((await subject.driver.exec(exec, subject.ctx)).pid > 0);
    assert.equal((await exit).exitCode, 4);
    await subject.driver.execDelete(exec, subject.ctx);
    await subject.driver.execDelete(exec, subject.ctx);
  },
  'exec.not-found': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { args: ['/no/such/program'] });
    await subject.driver.exec(exec, subject.ctx);
    await assert.rejects(subject.driver.execStart(exec, subject.ctx), { reason: 'COMMAND_NOT_FOUND' });
    await subject.driver.execDelete(exec, subject.ctx);
  },
  'exec.never-started': async (subject) => {
    await using container = await running(subject);
    const exec = subject.exec(container.request, { script: 'true' });
    const { monitorPid } = await subject.driver.exec(exec, subject.ctx);
    await subject.driver.execDelete(exec, subject.ctx);
    await gone(monitorPid);
  },
  'pause.and-resume': async (subject) => {
    await using container = await running(subject);
    await subject.driver.pause({ id: container.id, resume: false }, subject.ctx);
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'paused');
    await subject.driver.pause({ id: container.id, resume: true }, subject.ctx);
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'running');
  },
  'delete.paused': async (subject) => {
    await using container = await running(subject);
    await subject.driver.pause({ id: container.id, resume: false }, subject.ctx);
    await subject.driver.delete({ id: container.id, force: true }, subject.ctx);
  },
  'pids.and-stats': async (subject) => {
    await using container = await running(subject);
    const { pids } = await subject.driver.pids(container, subject.ctx);
    assert.ok(pids.includes(container.pid), `${pids.join(' ')} has no ${container.pid}`);
    const { cpu } = await subject.driver.stats(container, subject.ctx);
    assert.ok(cpu.totalNs > 0);
  },
  'monitor.killed': async (subject) => {
    await using container = await running(subject);
    const exit = nextExit(subject, container.id);
    process.kill(container.monitorPid, 'SIGKILL');
    await sleep(50);
    assert.equal((await subject.driver.state(container, subject.ctx)).status, 'running');
    await subject.driver.signal({ id: container.id, signal: 9 }, subject.ctx);
    assert.equal((await exit).exitCode, 255);
  },
  'ids.stay-inside': async (subject) => {
    const request = { ...subject.container({ script: 'true' }), id: '../../escape' };
    await refuses('invalid_argument', subject.driver.create(request, subject.ctx));
  },
  'unknown.container': async ({ driver, ctx }) => {
    await refuses('not_found', driver.start({ id: 'nope' }, ctx));
    await refuses('not_found', driver.signal({ id: 'nope', signal: 15 }, ctx));
    await refuses('not_found', driver.stats({ id: 'nope' }, ctx));
  },
} satisfies Record<string, (subject: ExecUnderTest) => Promise<void>>).map(([name, run]) => ({ name, run }));

interface Live extends AsyncDisposable {
  readonly id: string;
  readonly pid: number;
  readonly monitorPid: number;
  readonly request: CreateRequest;
  readonly streams: Streams;
}

async function create(subject: ExecUnderTest, options: ContainerOptions): Promise<Live> {
  const request = subject.container(options);
  const { pid, monitorPid, streams } = await subject.driver.create(request, subject.ctx);
  return {
    id: request.id,
    pid,
    monitorPid,
    request,
    streams,
    [Symbol.asyncDispose]: () => subject.driver.delete({ id: request.id, force: true }, subject.ctx),
  };
}

async function running(subject: ExecUnderTest): Promise<Live> {
  const container = await create(subject, { script: 'while true; do sleep 60; done' });
  await subject.driver.start(container, subject.ctx);
  return container;
}

async function finish(subject: ExecUnderTest, id: string): Promise<ExitEvent> {
  const exit = nextExit(subject, id);
  await subject.driver.start({ id }, subject.ctx);
  return exit;
}

async function nextExit({ driver, ctx }: ExecUnderTest, id: string, execId?: string): Promise<ExitEvent> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), 5_000);
  try {
    for await (const event of driver.watch({ after: 0 }, { ...ctx, signal: deadline.signal })) {
      if (event.id === id && event.execId === execId) return event;
    }
    return assert.fail(`no exit of ${id} ${execId ?? ''} within 5 s`);
  } finally {
    clearTimeout(timer);
  }
}

async function collect(client: { packets(): AsyncIterable<Buffer> }): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const output = { stdout: '', stderr: '' };
  for await (const packet of client.packets()) output[packet[0] === 3 ? 'stderr' : 'stdout'] += packet.toString('utf8', 1);
  return output;
}

function socketOf({ attachSocket }: Streams): string {
  return attachSocket ?? assert.fail('no attach socket');
}

/** Within a second, for whoever has to reap it. */
async function gone(pid: number): Promise<void> {
  for (let attempt = 0; existsSync(`/proc/${pid}`); attempt += 1) {
    assert.ok(attempt < 100, `process ${pid} is still there`);
    await sleep(10);
  }
}

async function refuses(code: string, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, { code });
}
