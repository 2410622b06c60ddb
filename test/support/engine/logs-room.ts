import { appendFileSync, mkdtempSync, readdirSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { notFound, unavailable } from '@gantry/sdk';
import type { LogQuery } from '@gantry/sdk/engine';
import type { LogDriver, WriteRequest, WriteResponse } from '@gantry/sdk/log';
import { MemoryLogDriver } from '@gantry/sdk/testing';
import type { Drivers } from '../../../core/drivers/index.ts';
import { type LoggedContainer, Logs } from '../../../core/logs/index.ts';
import { Database } from '../../../core/metadata/index.ts';
import { JsonFileDriver } from '../../../plugins/log/json-file/driver.ts';
import { noneDriver } from '../../../plugins/log/none/driver.ts';
import { loggedInfo } from '../plugins/log-subject.ts';
import { quietLog } from '../machine/quiet-log.ts';

/** The room of logs with drivers in memory, and a monitor's hand. */
export interface Room extends AsyncDisposable {
  readonly logs: Logs;
  readonly memory: MemoryLogDriver;
  /** What drivers that ask for rest got, and when they were asked. */
  readonly takenLate: ReadonlyMap<string, readonly string[]>;
  readonly takenAt: ReadonlyMap<string, readonly number[]>;
  /** Warnings of drivers in the engine's log. */
  readonly said: readonly string[];
  container(driver: string): LoggedContainer;
  file(container: LoggedContainer): string;
  /** As the monitor does. */
  write(container: LoggedContainer, ...lines: readonly string[]): void;
  /** A new file, as soon as the old one is safe. */
  rotate(container: LoggedContainer): Promise<void>;
  read(container: LoggedContainer, query?: Partial<LogQuery>, running?: boolean | (() => boolean)): Promise<readonly string[]>;
  fds(container: LoggedContainer): Promise<number>;
}

export function openRoom({ spoolMaxBytes }: { readonly spoolMaxBytes?: number } = {}): Room {
  const root = mkdtempSync(join(tmpdir(), 'logs-'));
  const database = new Database(join(root, 'metadata.db'));
  const memory = new MemoryLogDriver();
  const writeOnly: LogDriver = { validate: (request) => memory.validate(request), write: (requests) => memory.write(requests) };
  const takenLate = new Map<string, string[]>();
  const takenAt = new Map<string, number[]>();
  const said: string[] = [];
  const restless = (name: string): LogDriver => restingDriver(mapped(takenLate, name), mapped(takenAt, name), name === 'failing');
  const drivers = driversOf({
    memory,
    'json-file': new JsonFileDriver(),
    none: noneDriver,
    'write-only': writeOnly,
    resting: restless('resting'),
    failing: restless('failing'),
    endless: endlessDriver(),
  });
  const log = { ...quietLog, warn: (facts: object) => void ('warning' in facts && said.push(String(facts.warning))) };
  const logs = new Logs({ database, drivers, dataRoot: root, log, ...(spoolMaxBytes === undefined ? {} : { spoolMaxBytes }) });
  const file = ({ info }: LoggedContainer): string => join(logs.spool(info.id).dir, 'ctr.log');
  return {
    logs,
    memory,
    takenLate,
    takenAt,
    said,
    file,
    container: (driver) => ({ info: loggedInfo(root), driver, options: {}, tty: false }),
    write: (container, ...lines) =>
      appendFileSync(file(container), lines.map((line) => `2026-01-01T00:00:00.000000001+00:00 stdout F ${line}\n`).join('')),
    rotate: async (container) => {
      await until(() => statSync(file(container)).nlink > 1);
      writeFileSync(`${file(container)}.tmp`, '');
      renameSync(`${file(container)}.tmp`, file(container));
    },
    async read(container, query = {}, running = false) {
      const isRunning = typeof running === 'function' ? running : () => running;
      const { lines } = await logs.query(container, { stdout: true, stderr: true, ...query }, isRunning);
      return (await Array.fromAsync(lines)).flat().map(({ data }) => data.toString());
    },
    fds: async ({ info }) => {
      await sleep(10);
      return descriptors().filter((path) => path.includes(info.id)).length;
    },
    async [Symbol.asyncDispose]() {
      await logs[Symbol.asyncDispose]();
      database[Symbol.dispose]();
      rmSync(root, { recursive: true });
    },
  };
}

/** Wants 600 ms of rest after its first batch, by an answer or by a failure, and warns with every one. */
function restingDriver(lines: string[], askedAt: number[], fails: boolean): LogDriver {
  async function* write(requests: AsyncIterable<WriteRequest>): AsyncGenerator<WriteResponse> {
    for await (const request of requests) {
      if (request.kind !== 'batch') continue;
      const isFirst = askedAt.push(performance.now()) === 1;
      if (isFirst && fails) throw unavailable('not yet', { retryAfterMs: 600 });
      lines.push(...request.entries.map(({ line }) => line.toString()));
      const ackedSeq = request.firstSeq + request.entries.length - 1;
      if (fails) yield { ackedSeq };
      else yield { ackedSeq, warning: 'the back end is slow', ...(isFirst && { retryAfterMs: 600 }) };
    }
  }
  return { validate: async () => {}, write };
}

function endlessDriver(): LogDriver {
  async function* write(_requests: AsyncIterable<WriteRequest>): AsyncGenerator<WriteResponse> {
    for (;;) yield { ackedSeq: 0, warning: 'again' };
  }
  return { validate: async () => {}, write };
}

function mapped<T>(map: Map<string, T[]>, name: string): T[] {
  const list: T[] = [];
  map.set(name, list);
  return list;
}

function driversOf(byName: Readonly<Record<string, LogDriver>>): Drivers {
  const missing = (): never => {
    throw notFound('not here');
  };
  const get = async (_: string, name: string) => byName[name] ?? missing();
  return { get, has: (_, name) => name in byName, names: () => Object.keys(byName), grants: missing, preferred: missing } as Drivers;
}

function descriptors(): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

export function openDescriptors(): number {
  return descriptors().length;
}

export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await isTrue())) {
    if (performance.now() > deadline) assert.fail(`${isTrue.toString()} did not come true`);
    await sleep(10);
  }
}
