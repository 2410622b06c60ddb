import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

const patienceMs = 300;

/**
 * Waits until conmon has accepted everybody who has connected. It accepts one client per turn and forwards output to those it has accepted,
 * so a program that is quick would else be through before the second client counts. proc_net_unix: state 02 is connected, not yet accepted.
 * A monitor that does not react (other containers' are seen here, too) holds nobody up for long.
 */
export async function clientsAccepted(signal: AbortSignal): Promise<void> {
  const begun = performance.now();
  for (let turn = 0; hasWaitingClient() && performance.now() - begun < patienceMs; turn += 1) {
    await (turn < 20 ? nextTurn() : sleep(1, undefined, { signal }));
  }
}

function hasWaitingClient(): boolean {
  return /^\S+ \S+ \S+ \S+ 0005 02 .*\/attach$/m.test(readFileSync('/proc/net/unix', 'latin1'));
}
