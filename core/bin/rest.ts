import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { trimMemory } from '@gantry/sdk/linux';

const intervalMs = 5_000;
const busyShare = 0.02;

/**
 * Gives memory back once the engine comes to rest after work: V8 and malloc keep what a load or fifty starts needed, for ever when
 * nothing asks them. One collection (some 20 ms) per rest, none while there is work.
 */
export function restWhenIdle(): Disposable {
  let isRested = false;
  let last = performance.eventLoopUtilization();
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    if (utilization > busyShare) isRested = false;
    else if (!isRested) {
      isRested = true;
      collectGarbage();
      trimMemory();
      last = performance.eventLoopUtilization();
    }
  }, intervalMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

// Found at the first rest: making the context for it takes 5 ms, which no start needs.
let collector: unknown;

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  collector ??= runInNewContext('gc');
  if (typeof collector === 'function') collector();
}
