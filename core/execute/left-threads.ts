import type { Worker } from 'node:worker_threads';
import { exitNow } from '@gantry/sdk/linux';

const left = new Set<Worker>();
let isWatching = false;

/**
 * Gives up a thread that is in a call which may never return, such as one to a file system whose server hangs. It ends when the call does. At its end
 * a process waits for its threads: with such a one it ends without.
 */
export function leaveThread(thread: Worker): void {
  left.add(thread);
  thread.once('exit', () => left.delete(thread));
  void thread.terminate();
  // After that: ending it, Node means to wait for it.
  thread.unref();
  if (isWatching) return;
  isWatching = true;
  process.on('exit', (code) => {
    if (left.size > 0) exitNow(code);
  });
}
