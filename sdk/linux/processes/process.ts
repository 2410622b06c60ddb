import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { declare, errno } from '../calls.ts';
import { checked, errnoError, isErrno } from '../errno.ts';

/** How a process ended: by itself with a code, or by a signal. */
export interface ExitStatus {
  readonly exitCode: number | undefined;
  /** `SIGKILL`, … */
  readonly signal: string | undefined;
}

/** A descriptor of a process, close-on-exec, that becomes readable when it ends and never means another one: pidfd_open(2), Linux 5.3. ESRCH when there is none. */
export function pidfdOpen(pid: number): number {
  return checked(callPidfdOpen(434, pid, 0), 'pidfd_open', { detail: `pid ${pid}` });
}

/** Sends a signal to exactly this process: pidfd_send_signal(2). False when it has ended (and been reaped). Signal 0 only asks. */
export function pidfdSendSignal(pidfd: number, signal: NodeJS.Signals | number): boolean {
  const number = typeof signal === 'number' ? signal : constants.signals[signal];
  if (callPidfdSendSignal(424, pidfd, number, null, 0) === 0) return true;
  if (errno() === constants.errno.ESRCH) return false;
  throw errnoError('pidfd_send_signal');
}

/** Reaps a child of ours if it has ended: waitpid(2) with WNOHANG. After an `ExitStatus` the pid may mean another process. `not-ours` also when somebody else has reaped it. */
export function waitpid(pid: number): ExitStatus | 'running' | 'not-ours' {
  const result = callWaitpid(pid, waitStatus, 1);
  if (result === 0) return 'running';
  if (result > 0) return exitStatus(waitStatus[0] ?? 0);
  if (errno() === constants.errno.ECHILD) return 'not-ours';
  throw errnoError('waitpid', { detail: `pid ${pid}` });
}

/** Ends this process at once, whatever its threads are at: _exit(2). Nothing is flushed, and no handler runs. */
export function exitNow(code: number): never {
  callExit(code);
  throw errnoError('_exit');
}

/** Reads wait(2)'s status word. */
export function exitStatus(status: number): ExitStatus {
  const number = status & 0x7f;
  if (number === 0) return { exitCode: (status >> 8) & 0xff, signal: undefined };
  return { exitCode: undefined, signal: signalName(number) };
}

/** `SIGKILL` for 9; real-time signals are `SIGRTMIN+n`. */
export function signalName(number: number): string {
  const known = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return known ?? `SIGRTMIN+${number - 34}`;
}

/**
 * When a process started, in clock ticks since boot (proc_pid_stat(5), field 22); undefined when there is none. Pid, start time and boot id together never
 * mean another process: keep them to recognise one after a restart.
 */
export function processStartTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may itself have spaces and parentheses.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

/** Makes orphans among our descendants our children, or no longer: prctl(2) PR_SET_CHILD_SUBREAPER. Whoever turns it on must reap them. */
export function setChildSubreaper(on: boolean): void {
  checked(callPrctl(36, on ? 1 : 0, 0, 0, 0), 'prctl');
}

/** The signal that this process gets when the thread that started it ends: prctl(2) PR_SET_PDEATHSIG; 0 for none. */
export function setParentDeathSignal(signal: NodeJS.Signals | 0): void {
  checked(callPrctl(1, signal === 0 ? 0 : constants.signals[signal], 0, 0, 0), 'prctl');
}

const waitStatus = new Int32Array(1);

const callExit = declare<(code: number) => void>('_exit', 'void', ['int']);
const callPidfdOpen = declare<(number: 434, pid: number, flags: number) => number>('syscall', 'long', ['long', 'long', 'long']);
const callPidfdSendSignal = declare<(number: 424, pidfd: number, signal: number, info: null, flags: number) => number>('syscall', 'long', [
  'long',
  'long',
  'long',
  'void *',
  'long',
]);
const callWaitpid = declare<(pid: number, status: Int32Array, options: number) => number>('waitpid', 'int', ['int', 'void *', 'int']);
const callPrctl = declare<(option: number, a: number, b: number, c: number, d: number) => number>('prctl', 'int', [
  'int',
  'ulong',
  'ulong',
  'ulong',
  'ulong',
]);
