import { isSetUp } from './cache.ts';
import { setUpLane } from './setup.ts';
import { missingForSetup } from './setup-apt.ts';

/** `long`: all of the guests' files, up to an hour. `short`: what can be had in eight minutes, in every `npm test`. */
export type LaneRun = 'short' | 'long';

const wanted = process.env['GANTRY_TEST_LANE'];
const minute = 60_000;

/** For `npm test`: sets the lane up where that is possible, saying so, for it takes minutes. Never throws, and ends in time. */
export function prepareLane(): void {
  if (wanted === '0' || isSetUp() || missingForSetup() !== undefined) return;
  console.log('setting up the kernel lane: some minutes, once');
  try {
    setUpLane({ timeoutMs: (wanted === '1' ? 60 : 8) * minute });
  } catch (error) {
    console.log(error instanceof Error ? error.message : String(error));
  }
}

/** Why no guest can be booted here for this; undefined when one can. */
export function whyNoLane(run: LaneRun): string | undefined {
  if (process.getuid?.() !== 0) return 'needs the kernel lane: guests are booted by root';
  if (wanted === '0') return 'needs the kernel lane: GANTRY_TEST_LANE=0 leaves it out';
  if (run === 'long' && wanted !== '1') return 'needs an hour: GANTRY_TEST_LANE=1 npm test, or npm run lane';
  if (run === 'short' && wanted === '1') return 'needs nothing: the long run has it';
  if (isSetUp()) return undefined;
  return `needs the kernel lane: ${missingForSetup() ?? 'npm run lane -- setup'}`;
}
