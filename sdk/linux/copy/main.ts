/** The thread in which trees are copied. */
import { parentPort } from 'node:worker_threads';
import { asError } from '../errno.ts';
import { umask, unshare } from '../processes/thread.ts';
import { stop } from './board.ts';
import { Walk, type WalkJob } from './walk.ts';

/** What is left of a failure on its way between threads. */
export interface CopyFailure {
  readonly message: string;
  readonly code?: string;
  readonly errno?: number;
}

const port = parentPort;
if (port === null) throw new Error('this file is the main file of a worker thread');
const ownUmask = clearUmask();

port.on('message', (job: WalkJob) => port.postMessage(copy(job)));

function copy(job: WalkJob): CopyFailure | undefined {
  try {
    new Walk(job, ownUmask).copy(job);
    return undefined;
  } catch (error) {
    stop(job.board);
    const { message, code, errno }: NodeJS.ErrnoException = asError(error);
    return { message, ...(code !== undefined && { code }), ...(errno !== undefined && { errno }) };
  }
}

/** This thread's alone. Where a filter of system calls forbids that, permissions that the process's own takes away are set afterwards. */
function clearUmask(): number {
  try {
    unshare('fs');
    umask(0);
    return 0;
  } catch {
    return process.umask();
  }
}
