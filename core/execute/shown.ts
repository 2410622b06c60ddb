import { statfs } from 'node:fs/promises';
import { fromErrno, unavailable } from '@gantry/sdk';
import type { Grants } from '../drivers/types.ts';
import { withDeadline } from '../support/index.ts';
import { blamed } from './blame.ts';

/** A file system that answers does so in microseconds; one behind a dead server, never. */
const answerMs = 5_000;

/** Looks whether what a driver described for a volume is there and answers. Throws what is wrong with it, naming the plugin. */
export async function checkShown(path: string, grants: Pick<Grants, 'plugin' | 'onViolation'>): Promise<void> {
  const what = `what it described for attach at ${path}`;
  try {
    await withDeadline(answerMs, () => statfs(path));
  } catch (error) {
    if (error instanceof DOMException && error.name === 'TimeoutError')
      throw unavailable(`plugin ${grants.plugin}: ${what} does not answer`, { cause: error });
    throw blamed(fromErrno(error, what), grants);
  }
}
