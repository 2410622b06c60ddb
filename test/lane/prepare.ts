import { isSetUp } from './cache.ts';
import { setUpLane } from './setup.ts';
import { missingForSetup } from './setup-apt.ts';

/** Guests are slow: all of their files take up to an hour, which the quick part of the day has not. */
const isWanted = process.env['GANTRY_TEST_LANE'] === '1';

/** For `npm test`: sets the lane up where that is possible, saying so, for it takes minutes. */
export function prepareLane(): void {
  if (!isWanted || isSetUp() || missingForSetup() !== undefined) return;
  console.log('setting up the kernel lane: some minutes, once');
  try {
    setUpLane();
  } catch (error) {
    console.log(error instanceof Error ? error.message : String(error));
  }
}

/** Why no guest can be booted here; undefined when one can. */
export function whyNoLane(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs the kernel lane: guests are booted by root';
  if (!isWanted) return 'needs the kernel lane: GANTRY_TEST_LANE=1 npm test, or npm run lane';
  if (isSetUp()) return undefined;
  return `needs the kernel lane: ${missingForSetup() ?? 'npm run lane -- setup'}`;
}
