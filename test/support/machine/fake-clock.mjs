/**
 * Preloaded into a process of its own (NODE_OPTIONS=--import): what it takes for the time of day is off by the milliseconds in the file that GANTRY_TEST_CLOCK
 * names, read anew each time. Its monotonic clock is the machine's.
 */
import { readFileSync } from 'node:fs';

const file = process.env.GANTRY_TEST_CLOCK;
const RealDate = Date;

function offsetMs() {
  try {
    return Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    return 0;
  }
}

if (file !== undefined) {
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      if (given.length === 0) super(RealDate.now() + offsetMs());
      else super(...given);
    }
    static now() {
      return RealDate.now() + offsetMs();
    }
  };
}
