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
  try {
    const uids = rangesOf(readFileSync(`/proc/${init}/uid_map`, 'utf8'));
    if (uids.some(({ inside, outside }) => inside === 0 && outside === 0)) return;
    const owner = { uid: outsideId(uid, uids), gid: outsideId(gid, rangesOf(readFileSync(`/proc/${init}/gid_map`, 'utf8'))) };
    if (owner.uid === undefined || owner.gid === undefined) return;
    for (const descriptor of readdirSync(`/proc/${holder}/fd`)) {
      const path = `/proc/${holder}/fd/${descriptor}`;
      if (readlinkSync(path).startsWith('pipe:')) chownSync(path, owner.uid, owner.gid);
    }
  } catch (error) {
    // Ended meanwhile: nobody opens anything again.
    if (!isErrno(error, 'ENOENT', 'ESRCH', 'EINVAL')) throw error;
  }
}

function rangesOf(map: string): readonly IdRange[] {
  return map
    .trim()
    .split('\n')
    .map((line) => {
      const [inside = 0, outside = 0, size = 0] = line.trim().split(/\s+/).map(Number);
      return { inside, outside, size };
    });
}
