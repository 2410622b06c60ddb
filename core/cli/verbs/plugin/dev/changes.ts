import { watch } from 'node:fs';
import { fromErrno } from '@gantry/sdk/errors';

/** Editors and compilers write many files; one change is over when nothing was written for so long. */
const quietMs = 150;
const ignored = /(^|\/)(node_modules|\.git)(\/|$)|(~|\.sw[a-z]|\.tmp|\.part)$/;

/** Yields after each change in the folder or below, those that came meanwhile as one, until abort. */
export async function* changes(folder: string, { signal }: { readonly signal: AbortSignal }): AsyncGenerator<void> {
  let isChanged = false;
  let failure: unknown;
  let wake = (): void => undefined;
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(folder, { recursive: true }, (_event, path) => {
    if (path !== null && ignored.test(path)) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      isChanged = true;
      wake();
    }, quietMs);
  });
  watcher.on('error', (error) => {
    failure = error;
    wake();
  });
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      if (failure !== undefined) throw fromErrno(failure, `cannot watch ${folder}`);
      if (isChanged) {
        isChanged = false;
        yield;
      } else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    clearTimeout(timer);
    watcher.close();
  }
}
