import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@gantry/sdk/client';
import { busyboxImage } from '../support/images/busybox.ts';
import { census, describe, difference } from '../support/machine/census.ts';
import type { Census } from '../support/machine/census.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { PowerCutDisk } from '../support/disks/power-cut.ts';
import type { Operation } from './operation.ts';
import { cutPower, killOthers } from './reboot.ts';

/**
 * One test per failpoint of the operation: the engine kills itself there with SIGKILL, starts again, and must then show the whole outcome or none,
 * do the same request when asked again, and have left nothing else in the kernel or on the disk. With a power cut the disk loses, in the same
 * moment, what was not flushed to it, and the machine starts anew. Call it inside `inNamespaces`, once in a file.
 */
export function killAtEach(name: string, operation: Operation, options: BenchOptions = {}): void {
  const bench = new Bench(options);
  before(() => bench.open(operation));
  after(() => bench.close());
  for (const failpoint of operation.failpoints) {
    test(
      `${name} interrupted ${options.withPowerCut === true ? 'by a power cut ' : ''}at ${failpoint} is done or undone after the restart, and can be asked again`,
      { timeout: 60_000 },
      () => bench.kill(operation, failpoint),
    );
  }
}

interface BenchOptions {
  readonly withPowerCut?: boolean;
  /** Of the engine. */
  readonly flags?: readonly string[];
}

const settleMs = 10_000;
const deathMs = 10_000;

/** One data root for all failpoints, each of which leaves it as it found it. */
class Bench {
  readonly #withPowerCut: boolean;
  readonly #flags: readonly string[];
  #folder = '';
  #disk: PowerCutDisk | undefined;
  #engine: Daemon | undefined;
  #baseline: Census = [];

  constructor({ withPowerCut = false, flags = [] }: BenchOptions) {
    this.#withPowerCut = withPowerCut;
    this.#flags = flags;
  }

  /** The baseline is what is there after the operation was once done and cleaned away: plug-ins are started, folders made. */
  async open(operation: Operation): Promise<void> {
    this.#folder = mkdtempSync(join(tmpdir(), 'engine-'));
    // Root of a user namespace has to come by.
    chmodSync(this.#folder, 0o711);
    if (this.#withPowerCut) this.#disk = new PowerCutDisk({ path: join(this.#folder, 'data') });
    const { api } = await this.#start();
    await api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
    await operation.prepare(api);
    await operation.ask(api);
    await eventually(() => operation.check(api, { acknowledged: true }));
    await operation.clean(api);
    await this.#restart();
    this.#baseline = this.#census();
  }

  /** After a failure the next one begins on a data root of its own. */
  async kill(operation: Operation, failpoint: string): Promise<void> {
    try {
      await this.#kill(operation, failpoint);
    } catch (error) {
      await this.close();
      await this.open(operation);
      throw error;
    }
  }

  async #kill(operation: Operation, failpoint: string): Promise<void> {
    await operation.prepare((this.#engine ?? (await this.#start())).api);
    const doomed = await this.#restart({ GANTRY_FAILPOINTS: `${failpoint}=1*kill` });
    const acknowledged = await operation.ask(doomed.api).then(
      () => true,
      () => false,
    );
    await this.#death(doomed, failpoint);
    if (this.#disk !== undefined) await cutPower(doomed, this.#disk);
    const { api, places } = await this.#start();
    await eventually(() => operation.check(api, { acknowledged }));
    await eventually(async () => {
      const { findings } = await connect({ host: `unix://${places.socketPath}` }).system.check();
      assert.deepEqual(findings, [], 'what is stored is not what the records say');
    });
    await operation.ask(api);
    await eventually(() => operation.check(api, { acknowledged: true }));
    await operation.clean(api);
    await this.#nothingLeft();
  }

  async close(): Promise<void> {
    await this.#engine?.kill();
    this.#engine = undefined;
    await killOthers();
    await this.#disk?.[Symbol.asyncDispose]();
    this.#disk = undefined;
  }

  async #death(doomed: Daemon, failpoint: string): Promise<void> {
    const ended = await Promise.race([doomed.ended, sleep(deathMs, undefined, { ref: false })]);
    assert.ok(ended !== undefined, `the engine never came to ${failpoint}: it is passed elsewhere, or not at all`);
    assert.equal(ended.signal, 'SIGKILL', doomed.log);
    this.#engine = undefined;
  }

  async #nothingLeft(): Promise<void> {
    const deadline = performance.now() + settleMs;
    for (;;) {
      const { added, removed: gone } = difference(this.#baseline, this.#census());
      // A machine that was started anew has less in /run.
      const removed = this.#withPowerCut ? [] : gone;
      if (added.length + removed.length === 0) return;
      assert.ok(performance.now() < deadline, `after recovery and cleaning, compared with before:\n${describe({ added, removed })}`);
      await sleep(100);
    }
  }

  #census(): Census {
    return census({ roots: [this.#folder] }).filter((line) => !isVolatile(line));
  }

  async #restart(env: Readonly<Record<string, string>> = {}): Promise<Daemon> {
    await this.#engine?.kill();
    return this.#start(env);
  }

  async #start(env: Readonly<Record<string, string>> = {}): Promise<Daemon> {
    this.#engine = await Daemon.start({ folder: this.#folder, env, flags: this.#flags });
    return this.#engine;
  }
}

/** An engine answers while it still takes over what ran, and a runtime before the program has its name. */
async function eventually(check: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + settleMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

/** What belongs to this process, and the journals that SQLite makes and removes as it likes. */
function isVolatile(line: string): boolean {
  return /^(descriptor|handle): |-(wal|shm|journal)$/.test(line);
}
