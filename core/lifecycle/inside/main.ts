/** The thread that does one thing with files that may never answer, and tells what became of it. */
import { parentPort, workerData } from 'node:worker_threads';
import { codeOf, fromErrno, GantryError, messageOf } from '@gantry/sdk';
import type { Answer, Task } from './aside.ts';
import { look } from './look.ts';
import { openFolderOrFile } from './open.ts';

function answerTo(task: Task): Answer {
  try {
    return task.kind === 'look' ? { seen: look(task.looking) } : { opened: openFolderOrFile(task.source, task.subpath) };
  } catch (thrown) {
    const error = GantryError.is(thrown) ? thrown : fromErrno(thrown, 'look into a container');
    const { hint, reason } = GantryError.is(error) ? error : {};
    return { failed: { code: codeOf(error), message: messageOf(error), hint, reason } };
  }
}

parentPort?.postMessage(answerTo(workerData as Task));
