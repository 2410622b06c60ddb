import { closeSync, readFileSync } from 'node:fs';
import { isErrno, pidfdOpen, pidfdSendSignal, processStartTime, waitForExit, whenReadable, type WaitOptions } from '@gantry/sdk/linux';

/** A process by pid and start time: the pid alone may mean another one by now. */
export interface ProcessRef {
  readonly pid: number;
  readonly startTime: number;
}

export function processRef(pid: number): ProcessRef {
  return { pid, startTime: processStartTime(pid) ?? 0 };
}

export function isAlive({ pid, startTime }: ProcessRef): boolean {
  return pid > 0 && processStartTime(pid) === startTime && !isZombie(pid);
}

/** Sends to exactly this process; false when it has ended. */
export function sendSignal(process: ProcessRef, signal: number): boolean {
  using handle = open(process);
  return handle !== undefined && pidfdSendSignal(handle.pidfd, signal);
}

/** Resolves when the process has ended; at once when it has already. */
export async function whenEnded(process: ProcessRef, { signal, keepAlive = true }: WaitOptions = {}): Promise<void> {
  using handle = open(process);
  if (handle !== undefined) await whenReadable(handle.pidfd, { signal, keepAlive });
}

/** The same; if it is our child, as orphans are of process 1, nothing of it is left then. */
export async function whenReaped(process: ProcessRef, options: WaitOptions): Promise<void> {
  await whenEnded(process, options);
  if (processStartTime(process.pid) !== process.startTime) return;
  await waitForExit(process.pid, options).catch((error: unknown) => {
    if (!isErrno(error, 'ESRCH')) throw error;
  });
}

function open(process: ProcessRef): ({ readonly pidfd: number } & Disposable) | undefined {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(process.pid);
  } catch (error) {
    if (isErrno(error, 'ESRCH', 'EINVAL')) return undefined;
    throw error;
  }
  // Looked up after the descriptor was opened: from here the number cannot change its meaning.
  if (processStartTime(process.pid) === process.startTime) return { pidfd, [Symbol.dispose]: () => closeSync(pidfd) };
  closeSync(pidfd);
  return undefined;
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.charAt(stat.lastIndexOf(')') + 2) === 'Z';
  } catch {
    return true;
  }
}
