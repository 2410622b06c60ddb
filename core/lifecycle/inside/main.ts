/** The thread that does one thing with files that may never answer, and tells what became of it. */
import { parentPort, workerData } from 'node:worker_threads';
import { codeOf, fromErrno, GantryError, messageOf } from '@gantry/sdk';
import type { Answer, began, Task } from './aside.ts';
import { look } from './look.ts';
import { cloneInside, openFolderOrFile } from './open.ts';

function answerTo(task: Task): Answer {
  try {
    switch (task.kind) {
      case 'look':
        return { seen: look(task.looking) };
      case 'open':
        return { opened: openFolderOrFile(task.source, task.subpath) };
      case 'clone':
        return { opened: { descriptor: cloneInside(task.pid, task.path), isFolder: true } };
      default:
        return task satisfies never;
    }
  } catch (thrown) {
    const error = GantryError.is(thrown) ? thrown : fromErrno(thrown, 'look into a container');
    const { hint, reason } = GantryError.is(error) ? error : {};
    return { failed: { code: codeOf(error), message: messageOf(error), hint, reason } };
  }
}

parentPort?.postMessage('began' satisfies typeof began);
parentPort?.postMessage(answerTo(workerData as Task));
