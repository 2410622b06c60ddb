import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GantryError, type HostContext, unavailable } from '@gantry/sdk';
import type { Fault } from './fault.ts';

/** What `faults.json` in the data folder says, read anew for each call. */
export class Faults {
  readonly #host: HostContext;
  constructor(host: HostContext) {
    this.#host = host;
  }

  of(method: string): Fault | undefined {
    return readFaults(this.#host.dataDir)[method];
  }

  async around<Answer>(method: string, work: () => Promise<Answer>, signal?: AbortSignal): Promise<Answer> {
    const { dataDir } = this.#host;
    const fault = this.of(method);
    note(dataDir, method);
    if (fault?.once === true) forget(dataDir, method);
    if (fault?.does === 'until-cancelled' && signal !== undefined) {
      if (fault.when === 'after') await work();
      if (!signal.aborted) await once(signal, 'abort');
      note(dataDir, `cancelled ${method}`);
      throw signal.reason as Error;
    }
    const done = fault?.when === 'after' ? { answer: await work() } : undefined;
    if (fault?.when === 'answered') setTimeout(() => void misbehave(fault, this.#host), 20);
    else if (fault !== undefined) await misbehave(fault, this.#host);
    if (fault?.answer !== undefined) return fault.answer as Answer;
    return done === undefined ? await work() : done.answer;
  }
}

/** Which methods were called, in a file beside the faults; where there is no room for it, not. */
function note(dataDir: string, method: string): void {
  try {
    appendFileSync(join(dataDir, 'calls'), `${method}\n`);
  } catch {
    // The call itself says what is wrong.
  }
}

function readFaults(dataDir: string): Record<string, Fault> {
  try {
    return JSON.parse(readFileSync(join(dataDir, 'faults.json'), 'utf8')) as Record<string, Fault>;
  } catch {
    return {};
  }
}

function forget(dataDir: string, method: string): void {
  const { [method]: _done, ...others } = readFaults(dataDir);
  // Another's file, in our own folder: it can be replaced, not written to.
  rmSync(join(dataDir, 'faults.json'), { force: true });
  writeFileSync(join(dataDir, 'faults.json'), JSON.stringify(others));
}

const hoard: Buffer[] = [];

async function misbehave(
  { does = 'nothing', waitMs = 1_000, mebibytes = 0, code = 'internal' }: Fault,
  { log }: HostContext,
): Promise<void> {
  switch (does) {
    case 'nothing':
    case 'rules':
    case 'lie':
    case 'until-cancelled':
      return;
    case 'wait':
      return sleep(waitMs);
    case 'hang':
      return new Promise(() => {});
    case 'spin':
      for (;;);
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      return new Promise(() => {});
    case 'segv':
      process.kill(process.pid, 'SIGSEGV');
      return new Promise(() => {});
    case 'throw':
      throw new Error('the back end said something odd');
    case 'refuse':
      throw new GantryError(code, `the back end says ${code}`);
    case 'down':
      throw unavailable('the file server does not answer', { hint: 'look at the cable' });
    case 'fork':
      spawn('/bin/sleep', ['7117'], { detached: true, stdio: 'ignore' }).unref();
      return;
    case 'leak': {
      const kept: Buffer[] = [];
      for (;;) {
        kept.push(Buffer.alloc(8 << 20, 1));
        await sleep(1);
      }
    }
    case 'hoard':
      hoard.push(Buffer.alloc(mebibytes << 20, 1));
      return;
    case 'flood':
      for (let line = 0; line < 50_000; line += 1) console.log(`line ${line} of a flood`);
      return;
    case 'flood-log':
      for (let line = 0; line < 50_000; line += 1) log.info({ line }, 'one of a flood');
      return;
    default:
      does satisfies never;
  }
}
