import { closeSync, constants, openSync } from 'node:fs';
import { isErrno } from '../errno.ts';
import { fsconfigCreate, fsconfigFlag, fsconfigString, fsmount, fsopen, mountAttributes, moveMount } from './mount-api.ts';
import { mount, mountFlags } from './mount.ts';

export interface Overlay {
  /** Lower folders, the topmost first; up to 500. */
  readonly lower: readonly string[];
  /** With both of these it is writable. */
  readonly upper?: string | undefined;
  readonly work?: string | undefined;
  /** A path, or an O_PATH descriptor. */
  readonly target: string | number;
  /** Further overlay options: `{ index: 'off', volatile: true }`. */
  readonly options?: Readonly<Record<string, string | true>>;
  /** Mounted read-only even with an upper folder. */
  readonly readOnly?: boolean;
  /** Shown as the mount's source in mountinfo. */
  readonly source?: string;
}

/**
 * Mounts an overlay (kernel: Documentation/filesystems/overlayfs.rst). Any byte may be in the paths, of any length. From Linux 6.5 the lowers are added one by one;
 * older kernels get one text of at most a page, in which folders are named by descriptors when it would be too long (about 230 lowers fit).
 * Throws with the kernel's own explanation; a failure leaves nothing mounted; a second call mounts a second time.
 */
export function mountOverlay(overlay: Overlay): void {
  if (!mountByContext(overlay)) mountOverlayByText(overlay);
}

/** The way of kernels before 6.5. */
export function mountOverlayByText(overlay: Overlay): void {
  const { target, readOnly = false, source = 'overlay' } = overlay;
  const folders = new Folders();
  try {
    const written = optionText(overlay, escaped);
    const data = Buffer.byteLength(written) < pageBytes ? written : optionText(overlay, (folder) => folders.byDescriptor(folder));
    const at = typeof target === 'number' ? `/proc/thread-self/fd/${target}` : target;
    mount(source, at, { type: 'overlay', data, flags: readOnly ? mountFlags.rdonly : 0 });
  } finally {
    folders.close();
  }
}

/** Says false where the kernel cannot, before anything has happened. */
function mountByContext({ lower, upper, work, target, options = {}, readOnly = false, source = 'overlay' }: Overlay): boolean {
  addsLowers ??= triedLowers();
  if (!addsLowers) return false;
  const context = fsopen('overlay');
  const folders = new Folders();
  try {
    fsconfigString(context, 'source', source);
    for (const folder of lower) fsconfigString(context, 'lowerdir+', folders.plain(folder));
    if (upper !== undefined) fsconfigString(context, 'upperdir', folders.plain(upper));
    if (work !== undefined) fsconfigString(context, 'workdir', folders.plain(work));
    for (const [key, value] of Object.entries(options)) {
      if (value === true) fsconfigFlag(context, key);
      else fsconfigString(context, key, value);
    }
    fsconfigCreate(context);
    const mounted = fsmount(context, readOnly ? mountAttributes.rdonly : 0);
    try {
      moveMount(mounted, target);
    } finally {
      closeSync(mounted);
    }
    return true;
  } finally {
    folders.close();
    closeSync(context);
  }
}

let addsLowers: boolean | undefined;

/** A kernel before 6.5 takes down any option as it comes, and finds out when it mounts; a newer one looks for the folder at once. */
function triedLowers(): boolean {
  let context: number;
  try {
    context = fsopen('overlay');
  } catch (error) {
    if (isErrno(error, 'ENOSYS')) return false;
    throw error;
  }
  try {
    fsconfigString(context, 'lowerdir+', '/dev/null/nothing');
    return false;
  } catch (error) {
    return isErrno(error, 'ENOTDIR', 'ENOENT');
  } finally {
    closeSync(context);
  }
}

const pageBytes = 4096;

function optionText({ lower, upper, work, options = {} }: Overlay, name: (folder: string) => string): string {
  const parts = Object.entries(options).map(([key, value]) => (value === true ? key : `${key}=${value}`));
  parts.push(`lowerdir=${lower.map(name).join(':')}`);
  if (upper !== undefined) parts.push(`upperdir=${name(upper)}`);
  if (work !== undefined) parts.push(`workdir=${name(work)}`);
  return parts.join(',');
}

function escaped(folder: string): string {
  return folder.replace(/[\\:,]/g, (character) => `\\${character}`);
}

/** Descriptors that stand in for folders whose names the kernel would cut or misread; closed when the mount is made. */
class Folders {
  readonly #opened: number[] = [];

  /** fsconfig takes 255 bytes and unescapes backslashes. */
  plain(folder: string): string {
    return folder.includes('\\') || Buffer.byteLength(folder) > 255 ? this.byDescriptor(folder) : folder;
  }

  byDescriptor(folder: string): string {
    const opened = openSync(folder, 0o10000000 /* O_PATH */ | constants.O_DIRECTORY);
    this.#opened.push(opened);
    return `/proc/self/fd/${opened}`;
  }

  close(): void {
    for (const opened of this.#opened.splice(0)) closeSync(opened);
  }
}
