import { chownSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type IdRange, isErrno, outsideId } from '@gantry/sdk/linux';

export interface StreamUser {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * Makes the pipes that a process has its user's, so that it can open its own again by /dev/stdout and /dev/stderr. The monitor made them as root of the machine, who is
 * nobody in a container's user namespace, and the runtime in there may not give them away. `holder`: itself, or its monitor before it is made. Without a user
 * namespace of its own nothing happens.
 */
export function giveStreams(
  holder: number,
  { init, user: { uid = 0, gid = 0 } = {} }: { readonly init: number; readonly user?: StreamUser },
): void {
  const uids = rangesOf(mapOf(init, 'uid'));
  if (uids.length === 0 || uids.some(({ inside, outside }) => inside === 0 && outside === 0)) return;
  const [ownerUid, ownerGid] = [outsideId(uid, uids), outsideId(gid, rangesOf(mapOf(init, 'gid')))];
  if (ownerUid === undefined || ownerGid === undefined) return;
  for (const descriptor of unlessGone(() => readdirSync(`/proc/${holder}/fd`)) ?? []) {
    const path = `/proc/${holder}/fd/${descriptor}`;
    // Each by itself: a monitor closes some while it goes on.
    unlessGone(() => {
      if (readlinkSync(path).startsWith('pipe:')) chownSync(path, ownerUid, ownerGid);
    });
  }
}

function mapOf(pid: number, kind: 'uid' | 'gid'): string {
  return unlessGone(() => readFileSync(`/proc/${pid}/${kind}_map`, 'utf8')) ?? '';
}

/** Undefined when the process has ended meanwhile, or closed it. */
function unlessGone<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EINVAL')) return undefined;
    throw error;
  }
}

function rangesOf(map: string): readonly IdRange[] {
  if (map === '') return [];
  return map
    .trim()
    .split('\n')
    .map((line) => {
      const [inside = 0, outside = 0, size = 0] = line.trim().split(/\s+/).map(Number);
      return { inside, outside, size };
    });
}
