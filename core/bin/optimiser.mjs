import { setFlagsFromString } from 'node:v8';

const afterMs = 500;
const settleMs = 20;
const on = ['--opt', '--maglev'];
const off = ['--no-opt', '--no-maglev'];

/**
 * Code is optimised by another thread, which may wait for this one to collect garbage, while this one, at its end, waits for that thread: both for ever
 * (nodejs/node#54918). So a command that is soon over optimises nothing, and one that goes on stops doing so before its end, which what is answered is for.
 * @returns {() => Promise<void>}
 */
export function optimiseLater() {
  set(off);
  let isOn = false;
  const timer = setTimeout(() => {
    isOn = true;
    set(on);
  }, afterMs);
  timer.unref();
  return async () => {
    clearTimeout(timer);
    if (!isOn) return;
    stopOptimising();
    await new Promise((resolve) => setTimeout(resolve, settleMs));
  };
}

/** What is under way comes to its end, as long as this thread goes on for some milliseconds. */
export function stopOptimising() {
  set(off);
}

/** @param {readonly string[]} flags */
function set(flags) {
  for (const flag of flags) setFlagsFromString(flag);
}
