import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Totals } from '../support/test-run.ts';
import { runGuest, type GuestResult } from './boot.ts';
import type { LaneKernel } from './cache.ts';
import { whyNoLane } from './prepare.ts';

export interface LaneSuite {
  readonly kernel: LaneKernel;
  readonly modules?: readonly string[];
  /** Test files, from the top of the project, which run there as they would here. */
  readonly files: readonly string[];
  /** For each file. Two to ten times of what this machine needs. */
  readonly fileTimeoutMs: number;
  readonly memoryMiB?: number;
}

/** Makes one test of each file, and runs them all in one guest. Where the lane is not set up they are skipped. */
export function testInLane({ kernel, modules = [], files, fileTimeoutMs, memoryMiB = 3072 }: LaneSuite): void {
  const missing = whyNoLane();
  const node = process.execPath.startsWith(project) ? process.execPath.replace(project, '/project/') : 'node';
  let guest: GuestResult | undefined;
  before(async () => {
    if (missing !== undefined) return;
    const script = [node, '--disable-warning=ExperimentalWarning', 'test/lane/guest.ts', fileTimeoutMs, ...files].join(' ');
    const timeoutMs = 60_000 + files.length * fileTimeoutMs;
    guest = await runGuest({ kernel, modules, script, memoryMiB, timeoutMs, collect: ['totals.json'] });
  });
  for (const file of files)
    test(`in the lane, kernel ${[kernel, ...modules].join(' with ')}: ${file}`, { skip: missing ?? false }, (context) => {
      const text = guest?.files.get('totals.json') ?? '';
      const totals = text === '' ? undefined : (JSON.parse(text) as Readonly<Record<string, Totals>>)[file];
      if (totals === undefined) assert.fail(`the guest did not get to it:\n${guest?.output}\n${guest?.kernelLog}`);
      const { passed, skipped, failures } = totals;
      context.diagnostic(`${passed} passed, ${skipped.length} skipped`);
      for (const reason of new Set(skipped.map((one) => one.reason))) context.diagnostic(`skipped there: ${reason}`);
      assert.equal(failures.length, 0, failures.join('\n'));
      assert.ok(passed > 0, 'everything in it was skipped');
    });
}

const project = new URL('../..', import.meta.url).pathname;
