import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@gantry/sdk';
import { isErrno, isInUserNamespace, listXattr, mountOverlay, setXattr, umount2, unmountFlags } from '@gantry/sdk/linux';

/** What overlayfs can do on one folder's file system, or why it cannot be used there. */
export type Abilities =
  | { readonly isUsable: false; readonly reason: string }
  | {
      readonly isUsable: true;
      /** Mounts that never wait for the disk (Linux 5.10). */
      readonly hasVolatile: boolean;
      /** In a user namespace overlayfs keeps its notes in attributes `user.overlay.` (Linux 5.11). */
      readonly usesUserXattrs: boolean;
      /** Why the upper folder alone does not say everything that changed; undefined when it does. */
      readonly noNativeDiff: string | undefined;
    };

/**
 * For every mount: renamed folders and changed metadata are copied up whole, whatever the kernel's defaults are. An upper folder with redirects
 * or without data would need its lower ones to be read. In a user namespace it is always so, and saying it is forbidden.
 */
export function optionsOf({ usesUserXattrs }: { readonly usesUserXattrs: boolean }): readonly string[] {
  return usesUserXattrs ? ['index=off', 'userxattr'] : ['index=off', 'redirect_dir=off', 'metacopy=off'];
}

/** Mounts a small overlay in `root`, changes what is in it, looks at what that left, and takes it away again. Some milliseconds. */
export function tryOverlay(root: string): Abilities {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(root, '#probe-'));
    return tryIn(folder);
  } catch (error) {
    return { isUsable: false, reason: messageOf(error) };
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

interface Places {
  readonly first: string;
  readonly second: string;
  readonly upper: string;
  readonly work: string;
  readonly target: string;
}

function tryIn(folder: string): Abilities {
  const place = (name: string): string => join(folder, name);
  const places: Places = {
    first: place('first'),
    second: place('second'),
    upper: place('upper'),
    work: place('work'),
    target: place('target'),
  };
  for (const path of Object.values(places)) mkdirSync(path);
  const usesUserXattrs = isInUserNamespace();
  fillLower(places, usesUserXattrs);
  const hasVolatile = mountOne(places, usesUserXattrs);
  try {
    change(places.target);
    const shown = readdirSync(places.target);
    if (shown.includes('deleted'))
      return { isUsable: false, reason: 'its file system does not tell kinds of files in folders (d_type; xfs needs ftype=1)' };
    return { isUsable: true, hasVolatile, usesUserXattrs, noNativeDiff: remainsIn(places.upper) };
  } finally {
    umount2(places.target, unmountFlags.detach);
  }
}

function fillLower({ first, second }: Places, usesUserXattrs: boolean): void {
  for (const name of ['renamed', 'opaque']) mkdirSync(join(second, name));
  mkdirSync(join(first, 'opaque'));
  setXattr(join(first, 'opaque'), `${usesUserXattrs ? 'user' : 'trusted'}.overlay.opaque`, Buffer.from('y'));
  for (const path of ['renamed/file', 'opaque/file', 'deleted', 'chmod']) writeFileSync(join(second, path), 'x');
}

/** Answers whether it could be mounted volatile, which also spares this probe the wait for the disk. */
function mountOne({ first, second, upper, work, target }: Places, usesUserXattrs: boolean): boolean {
  const given = optionsOf({ usesUserXattrs }).map((option): [string, string | true] => {
    const [key = '', value] = option.split('=');
    return [key, value ?? true];
  });
  const overlay = { lower: [first, second], upper, work, target };
  try {
    mountOverlay({ ...overlay, options: { ...Object.fromEntries(given), volatile: true } });
    return true;
  } catch (error) {
    if (!isErrno(error, 'EINVAL')) throw error;
    mountOverlay({ ...overlay, options: Object.fromEntries(given) });
    return false;
  }
}

function change(root: string): void {
  unlinkSync(join(root, 'deleted'));
  chmodSync(join(root, 'chmod'), 0o600);
  writeFileSync(join(root, 'opaque', 'new'), 'x');
  try {
    renameSync(join(root, 'renamed'), join(root, 'elsewhere'));
  } catch (error) {
    // As it should be: whoever renames copies then.
    if (!isErrno(error, 'EXDEV')) throw error;
  }
}

/** Notes of overlayfs that make an upper folder depend on others, as Docker looks for them. */
function remainsIn(upper: string): string | undefined {
  const notes = (path: string): readonly string[] => listXattr(path).map((name) => name.replace(/^(?:user|trusted)\.overlay\./, ''));
  if (readdirSync(upper).includes('elsewhere')) return 'folders are renamed by redirects';
  if (notes(join(upper, 'chmod')).includes('metacopy')) return 'files are copied up without their data';
  if (notes(join(upper, 'opaque')).includes('opaque')) return 'folders are copied up opaque';
  return undefined;
}
