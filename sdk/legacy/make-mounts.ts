import { mkdirSync, rmdirSync } from 'node:fs';
import { fromErrno, unavailable } from '../errors.ts';
import { isErrno, run } from '../linux/index.ts';
import { dataPathOf, type HelperRunner, makeMounts, type MountGrants, unmount } from '../mounts/index.ts';
import type { Abortable, Mount } from '../types/index.ts';
import { ownTools } from './own-programs.ts';

export interface MakeRequest extends Abortable {
  /** A folder, made when it is not there. */
  readonly target: string;
  readonly mounts: readonly Mount[];
  readonly grants: MountGrants;
  readonly helpers: HelperRunner;
}

/**
 * Makes what a driver of this process described, at `target`, as an engine of ours would: set-uid programs and devices do not work in it. All or nothing: a
 * failure or an abort unmounts what was made and removes the folder.
 */
export async function makeVolume({ target, ...request }: MakeRequest): Promise<void> {
  mkdirSync(target, { recursive: true });
  try {
    await makeMounts({ target, ...request, restricted: true, tools: ownTools() });
  } catch (error) {
    await removeVolume(target, request.helpers);
    throw explained(error);
  }
}

/** Unmounts whatever is at `target` and removes the folder, which must be empty then. Nothing there: nothing to do. */
export async function removeVolume(target: string, helpers: HelperRunner): Promise<void> {
  await unmount(target, helpers);
  try {
    rmdirSync(target);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw fromErrno(error, `remove ${target}`);
  }
}

/** Whether the file system at this path has somebody who answers for it. */
export async function doesAnswer(path: string): Promise<boolean> {
  const argv = [...ownTools().statfs, path];
  const ended = await run({ file: argv[0] ?? '', argv, env: {}, timeoutMs: 2_000 }).catch(() => undefined);
  return ended?.exitCode === 0;
}

/** The folder that a plain bind mount of data shows: where nothing else is described, nothing need be mounted. */
export function plainFolder(mounts: readonly Mount[], grants: MountGrants): string | undefined {
  const [{ readOnly, options = [], quotaBytes } = {}] = mounts;
  return readOnly === true || options.length > 0 || quotaBytes !== undefined ? undefined : dataPathOf(mounts, grants);
}

function explained(error: unknown): unknown {
  const { cause, message } = error instanceof Error ? error : new Error(String(error));
  if (!isErrno(cause, 'EPERM')) return error;
  return unavailable(message, { cause: error, hint: 'the plugin needs the capability CAP_SYS_ADMIN' });
}
