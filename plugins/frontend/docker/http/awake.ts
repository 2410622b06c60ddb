import { availableParallelism } from 'node:os';

/**
 * A processor that went to sleep needs some 30 µs to wake up, twice what an answer costs: one who asks again and again on one connection
 * would mostly wait for that. So the loop keeps looking for a moment after each question, as Go's scheduler does.
 */
const awakeMs = 0.08;
/** On a single processor the client could not run meanwhile. */
const isWorthwhile = availableParallelism() > 1;

let until = 0;
let isAwake = false;

/** At a request whose answer takes no longer than waking up. */
export function stayAwake(): void {
  if (!isWorthwhile) return;
  until = performance.now() + awakeMs;
  if (isAwake) return;
  isAwake = true;
  setImmediate(look);
}

function look(): void {
  if (performance.now() < until) setImmediate(look);
  else isAwake = false;
}
