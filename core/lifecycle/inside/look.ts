import { type FileOwner, withFileOwner } from '@gantry/sdk/linux';
import type { PlannedMount } from '../model.ts';
import { type ProcessUser, resolveUser } from '../oci-spec/index.ts';
import { placedMounts } from '../start/destinations.ts';
import { checkRootfs } from '../start/rootfs.ts';
import { ensureWorkingDirectory } from '../start/working-directory.ts';

/** What is to be known of a container's files. */
export interface Looking {
  readonly rootfs: string;
  readonly user: string;
  readonly groupAdd: readonly string[];
  /** Before a start: where its mounts go, and that its working directory is there, made as root of its user namespace when it has one. */
  readonly start?: { readonly mounts: readonly PlannedMount[]; readonly workingDirectory: string; readonly owner?: FileOwner | undefined };
}
export interface Seen {
  readonly user: ProcessUser;
  /** With destinations inside the root; none unless it is to be started. */
  readonly mounts: readonly PlannedMount[];
}

/** Looks into the files, in this thread. */
export function look({ rootfs, user, groupAdd, start }: Looking): Seen {
  if (start === undefined) return { user: resolveUser(rootfs, user, groupAdd), mounts: [] };
  checkRootfs(rootfs);
  const mounts = placedMounts(rootfs, start.mounts);
  const found = resolveUser(rootfs, user, groupAdd);
  withFileOwner(start.owner, () => ensureWorkingDirectory(rootfs, start.workingDirectory));
  return { user: found, mounts };
}
