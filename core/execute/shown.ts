import { statfs } from 'node:fs/promises';
import { fromErrno } from '@gantry/sdk';
import type { Grants } from '../drivers/types.ts';
import { blamed } from '@gantry/sdk/mounts';
import { mayHang, mustAnswer } from './foreign.ts';

/** Looks whether what a driver described for a volume is there and answers. Throws what is wrong with it, naming the plugin. */
export async function checkShown(path: string, grants: Pick<Grants, 'plugin' | 'onViolation'>): Promise<void> {
  const what = `what it described for attach at ${path}`;
  // Not by one of this process's threads: they are few, and one that hangs is lost.
  if (mayHang(path)) return mustAnswer(path, `plugin ${grants.plugin}: ${what}`);
  try {
    await statfs(path);
  } catch (error) {
    throw blamed(fromErrno(error, what), grants);
  }
}
