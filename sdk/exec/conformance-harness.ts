import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectSeqpacket, type SeqpacketSocket } from '../linux/index.ts';
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
  /** Changes config.json. */
  readonly spec?: (spec: Spec, bundle: string) => Spec;
}
/** What every config.json of a bundle under test has. */
export interface Spec {
  readonly [field: string]: unknown;
  readonly root: Readonly<Record<string, unknown>>;
  readonly process: Readonly<Record<string, unknown>>;
  readonly mounts: readonly Readonly<Record<string, unknown>>[];
  readonly linux: { readonly [field: string]: unknown; readonly namespaces: readonly object[]; readonly cgroupsPath: string };
}
/** A driver under test. */
export interface ExecUnderTest {
  readonly driver: ExecDriver;
  readonly ctx: Ctx;
  readonly container: (options: ContainerOptions) => CreateRequest;
  readonly exec: (container: CreateRequest, options: ContainerOptions & { readonly detached?: boolean }) => ExecRequest;
  /** Ends the plugin and starts it again over the same folders; `meanwhile` is done while there is none. */
  readonly restart: (meanwhile?: () => Promise<void>) => Promise<ExecDriver>;
  /** Kills the plugin's process and starts it again; absent where it has none of its own. */
  readonly kill?: () => Promise<ExecDriver>;
  /** Whether containers are processes of a Linux kernel, with its limits and namespaces. */
  readonly hasKernel: boolean;
  /** How much the driver keeps of what containers may leave behind, by its name: descriptors, files, processes. Absent where that cannot be counted. */
  readonly kept?: () => Readonly<Record<string, number>>;
  /** One out of so many bytes and containers of the cases that are about much of them; 1 unless given. */
  readonly oneOf?: number;
  /** The driver describes: another one makes and keeps what runs, whatever becomes of this one. */
  readonly isDescribed?: boolean;
}
export interface ExecCase {
  readonly name: string;
  /** Why it makes no sense for this subject; undefined when it does. */
  readonly skip: (subject: ExecUnderTest) => string | undefined;
  /** Answers why it was skipped, where that is seen only when it runs. */
  readonly run: (subject: ExecUnderTest) => Promise<string | void>;
}
export type ExecCases = Readonly<Record<string, ExecCase['run']>>;

/** A container that exists, deleted at the end. */
export interface Live extends AsyncDisposable {
  readonly id: string;
  readonly pid: number;
  readonly monitorPid: number;
  readonly request: CreateRequest;
  readonly streams: Streams;
}

export async function create(subject: ExecUnderTest, options: ContainerOptions): Promise<Live> {
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

/** One that sleeps until it is killed. */
export async function running(subject: ExecUnderTest, options: ContainerOptions = {}): Promise<Live> {
  const container = await create(subject, { script: 'while true; do sleep 60; done', ...options });
  await subject.driver.start(container, subject.ctx);
  return container;
}

export async function finish(subject: ExecUnderTest, id: string): Promise<ExitEvent> {
  const exit = nextExit(subject, id);
  await subject.driver.start({ id }, subject.ctx);
  return exit;
}

/** Runs a script to its end, and answers what it wrote. */
export async function outputOf(
  subject: ExecUnderTest,
  options: ContainerOptions,
): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
  await using container = await create(subject, options);
  await using client = await connectSeqpacket(socketOf(container.streams));
  const exit = finish(subject, container.id);
  const output = await collect(client);
  return { exitCode: (await exit).exitCode, ...output };
}

/** The next end of this process, or one that is past. */
export async function nextExit(
  { driver, ctx }: Pick<ExecUnderTest, 'driver' | 'ctx'>,
  id: string,
  { execId, withinMs = 5_000 }: { readonly execId?: string; readonly withinMs?: number } = {},
): Promise<ExitEvent> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), withinMs);
  try {
    for await (const event of driver.watch({ after: 0 }, { ...ctx, signal: deadline.signal })) {
      if (event.id === id && event.execId === execId) return event;
    }
  } catch (error) {
    if (!deadline.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
  return assert.fail(`no exit of ${id} ${execId ?? ''} within ${withinMs} ms`);
}

export async function collect(client: { packets(): AsyncIterable<Buffer> }): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const output = { stdout: '', stderr: '' };
  for await (const packet of client.packets()) output[packet[0] === 3 ? 'stderr' : 'stdout'] += packet.toString('utf8', 1);
  return output;
}

/** A program that tells its terminal's size for every line. */
export const sizeTeller = 'while read line; do stty size; done';

/** Asks it until it tells this size: the terminal has it a moment after `resize` has answered. */
export async function tellsSize(client: SeqpacketSocket, size: string): Promise<void> {
  let said = '';
  const reading = (async () => {
    for await (const packet of client.packets()) said += packet.toString('utf8', 1);
  })();
  for (let attempt = 0; !said.includes(size); attempt += 1) {
    assert.ok(attempt < 100, `it said ${JSON.stringify(said)}, not ${size}`);
    await client.write(Buffer.from('go\r'));
    await sleep(50);
  }
  client.close();
  await reading;
}

export function socketOf({ attachSocket }: Streams): string {
  return attachSocket ?? assert.fail('no attach socket');
}

/** Waits until the container has written this. */
export async function untilSpooled({ spoolDir }: CreateRequest, text: string): Promise<void> {
  await until(() => readFileSync(join(spoolDir, 'ctr.log'), 'utf8').includes(text));
}

/** Within five seconds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; !(await holds()); attempt += 1) {
    assert.ok(attempt < 500, 'not within five seconds');
    await sleep(10);
  }
}

/** Within a second, for whoever has to reap it. */
export async function gone(pid: number): Promise<void> {
  for (let attempt = 0; existsSync(`/proc/${pid}`); attempt += 1) {
    assert.ok(attempt < 100, `process ${pid} is still there`);
    await sleep(10);
  }
}

export async function refuses(code: string, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, { code });
}
