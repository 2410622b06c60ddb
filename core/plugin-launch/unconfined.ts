import { closeSync } from 'node:fs';
import { fromErrno } from '@gantry/sdk';
import { pipe, posixSpawn } from '@gantry/sdk/linux';
import type { Abortable } from '../support/index.ts';
import { checkPlaces } from './check.ts';
import { Child } from './child.ts';
import { Output } from './output/output.ts';
import { RunningPlugin } from './running.ts';
import type { Launched, LaunchRequest } from './types.ts';

/** Starts the program as the engine is: what it starts in turn (monitors of containers) is nobody's to kill, and outlives it. */
export async function startUnconfined(request: LaunchRequest, { signal }: Abortable): Promise<Launched> {
  await checkPlaces(request);
  signal.throwIfAborted();
  const { name, argv, cwd, env } = request;
  const [file = ''] = argv;
  using undo = new DisposableStack();
  const output = undo.use(new Output(request.onLine));
  const stdin = pipe();
  undo.defer(() => closeSync(stdin.writer));
  try {
    const pid = posixSpawn({ file, argv, cwd, env, stdio: [stdin.reader, ...output.writers], setsid: true });
    undo.move();
    return new RunningPlugin({ child: new Child(pid), output, stdin: stdin.writer });
  } catch (error) {
    throw fromErrno(error, `plugin ${name}: its program ${file} cannot be started in ${cwd}`);
  } finally {
    closeSync(stdin.reader);
  }
}
