import { invalidArgument } from '@gantry/sdk';
import { readMountinfo, statxMount } from '@gantry/sdk/linux';

/** Mounts that are to be seen on the other side need a source that tells of them; Docker's words. */
export function checkPropagation(source: string, propagation: string): void {
  const isShared = /^r?shared$/.test(propagation);
  if (!isShared && !/^r?slave$/.test(propagation)) return;
  const { mountId } = statxMount(source);
  const mounted = readMountinfo().find((entry) => entry.mountId === mountId);
  const groups = mounted?.propagation ?? [];
  if (groups.some((group) => group.startsWith('shared:') || (!isShared && group.startsWith('master:')))) return;
  throw invalidArgument(
    `path ${source} is mounted on ${mounted?.mountPoint ?? '/'} but it is not a shared${isShared ? '' : ' or slave'} mount`,
    { hint: `make it one first: mount --make-shared ${mounted?.mountPoint ?? '/'}` },
  );
}
