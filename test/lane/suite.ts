import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Totals } from '../support/test-run.ts';
import { runGuest, type GuestResult } from './boot.ts';
import type { LaneKernel } from './cache.ts';
import type { GuestPlan } from './guest.ts';
import { whyNoLane } from './prepare.ts';

export interface LaneSuite extends Omit<GuestPlan, 'fileTimeoutMs'> {
  readonly kernel: LaneKernel;
  readonly modules?: readonly string[];
  /** For each file; without it what `budgetMs` has left. Two to ten times of what this machine needs. */
  readonly fileTimeoutMs?: number;
  /** For the files. */
  readonly env?: Readonly<Record<string, string>>;
  readonly memoryMiB?: number;
}

/**
 * Makes one test of each file, and runs them all in one guest, as they would run here. Where the lane is not set up they are skipped. With `budgetMs` it is the short
 * run: a guest that does not boot, or is too slow, is a reason to skip as well, but a test that fails in it fails.
 */
export function testInLane({ kernel, modules = [], env = {}, memoryMiB = 3072, ...plan }: LaneSuite): void {
  const { files, budgetMs, fileTimeoutMs = budgetMs ?? 0 } = plan;
  const missing = whyNoLane(budgetMs === undefined ? 'long' : 'short');
  const node = process.execPath.startsWith(project) ? process.execPath.replace(project, '/project/') : 'node';
  let guest: GuestResult | undefined;
  before(async () => {
    if (missing !== undefined) return;
    const words = [...Object.entries(env).map(([name, value]) => `${name}=${value}`), node, '--disable-warning=ExperimentalWarning'];
    const script = `${words.join(' ')} test/lane/guest.ts '${JSON.stringify({ ...plan, fileTimeoutMs } satisfies GuestPlan)}'`;
    const timeoutMs = budgetMs === undefined ? bootMs + files.length * fileTimeoutMs : budgetMs + slackMs;
    guest = await runGuest({ kernel, modules, script, memoryMiB, timeoutMs, collect: ['totals.json'] });
  });
  for (const file of files)
    test(`in the lane, kernel ${[kernel, ...modules].join(' with ')}: ${file}`, { skip: missing ?? false }, (context) => {
      const text = guest?.files.get('totals.json') ?? '';
      const totals = text === '' ? undefined : (JSON.parse(text) as Readonly<Record<string, Totals>>)[file];
      if (totals === undefined && budgetMs !== undefined) return context.skip(`needs a faster machine: ${endOf(guest)}`);
      if (totals === undefined) assert.fail(`the guest did not get to it:\n${guest?.output}\n${guest?.kernelLog}`);
      const { passed, skipped, failures } = totals;
      context.diagnostic(`${passed} passed, ${skipped.length} skipped`);
      for (const reason of new Set(skipped.map((one) => one.reason))) context.diagnostic(`skipped there: ${reason}`);
      assert.equal(failures.length, 0, failures.join('\n'));
      if (passed === 0 && budgetMs !== undefined) return context.skip(`needs a faster machine: ${skipped[0]?.reason}`);
      assert.ok(passed > 0, 'everything in it was skipped');
      return undefined;
    });
}

const bootMs = 90_000;
/** Clocks of emulated machines go wrong by some tenths, and a file that is cut off still has to end. */
const slackMs = 30_000;
const project = new URL('../..', import.meta.url).pathname;

/** The last line of what it said, for a reason to be read in a list. */
function endOf(guest: GuestResult | undefined): string {
  if (guest?.isOutOfTime === true) return 'the guest was out of time before it came to it';
  const said = [guest?.kernelLog, guest?.output].flatMap((text) => text?.trim().split('\n').at(-1) ?? []).filter((line) => line !== '');
  return `the guest did not come to it (${said.at(-1)?.slice(0, 200) ?? 'it said nothing'})`;
}
