import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { conflict, forbidden, fromErrno } from '@gantry/sdk';
import { flock, isErrno, isMountPoint } from '@gantry/sdk/linux';

export interface Roots extends Disposable {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** The last engine here disposed its roots, and the machine runs since: nothing half-made is about. */
  readonly endedCleanly: boolean;
}

/**
 * Makes and locks the data root (mode 0700, ours) and readies the exec root (0711: a socket may lie there, all else in it is closed by
 * itself). Roots that others can write to are `forbidden`. One engine per data root: a second one fails with `conflict` naming the first
 * one's pid. After a reboot the exec root is emptied, sockets apart: nothing it describes lives any more.
 */
export function openRoots({ dataRoot, execRoot }: { readonly dataRoot: string; readonly execRoot: string }): Roots {
  makeFolder(dataRoot, 0o700);
  makeFolder(execRoot, 0o711);
  refuseForeign('data root', dataRoot);
  refuseForeign('exec root', execRoot);
  if ((statSync(dataRoot).mode & 0o077) !== 0) chmodSync(dataRoot, 0o700);
  const { lock, path, earlier } = lockFolder(dataRoot);
  try {
    const sameBoot = !forgetEarlierBoot(execRoot);
    return {
      dataRoot,
      execRoot,
      endedCleanly: earlier === 'none' || (earlier === 'ended' && sameBoot),
      [Symbol.dispose]: () => unlock(lock, path),
    };
  } catch (error) {
    closeSync(lock);
    throw error;
  }
}

/** A lock file without an owner says that whoever had it has tidied up. */
function unlock(lock: number, path: string): void {
  try {
    if (writeOwner(lock, '')) rmSync(markOf(path), { force: true });
  } finally {
    closeSync(lock);
  }
}

/**
 * Always as long, over what is there: on a full disk nothing longer could be written, nor what was cut off be written again. Where even that needs room, as on btrfs
 * and zfs, which write nothing over, answers false.
 */
function writeOwner(lock: number, owner: string): boolean {
  try {
    writeSync(lock, `${owner.padEnd(15)}\n`, 0);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOSPC', 'EDQUOT')) return false;
    throw error;
  }
}

/** An empty file, for which there is room on a full disk: says that somebody has the lock who could not write his name. */
function markOf(lockPath: string): string {
  return `${lockPath}.unnamed`;
}

function makeFolder(path: string, mode: number): void {
  try {
    // The umask may take away what the mode gives.
    if (mkdirSync(path, { recursive: true, mode }) !== undefined) chmodSync(path, mode);
  } catch (error) {
    throw fromErrno(error, `make folder ${path}`);
  }
}

function refuseForeign(what: 'data root' | 'exec root', path: string): void {
  const { uid, mode } = statSync(path);
  if (uid !== process.geteuid?.())
    throw forbidden(`${what} ${path} belongs to user ${uid}`, { hint: `choose another --${what.replace(' ', '-')} or change its owner` });
  if ((mode & 0o022) !== 0)
    throw forbidden(`${what} ${path} can be written by others (mode ${(mode & 0o777).toString(8)})`, { hint: `chmod go-w ${path}` });
}

function lockFolder(dataRoot: string): { readonly lock: number; readonly path: string; readonly earlier: 'none' | 'ended' | 'died' } {
  const path = join(dataRoot, 'engine.lock');
  const text = readText(path);
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    if (!flock(file, 'exclusive')) {
      throw conflict(`data root ${dataRoot} is in use by process ${readFileSync(path, 'utf8').trim() || 'unknown'}`, {
        hint: 'stop that engine, or use another --data-root',
      });
    }
    const earlier = text === undefined ? 'none' : text === '' && !existsSync(markOf(path)) ? 'ended' : 'died';
    if (!writeOwner(file, String(process.pid))) closeSync(openSync(markOf(path), 'a', 0o600));
    return { lock: file, path, earlier };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** Whether there was one, or nothing at all. */
function forgetEarlierBoot(execRoot: string): boolean {
  const mark = join(execRoot, 'boot-id');
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  if (readText(mark) === bootId) return false;
  for (const entry of readdirSync(execRoot, { withFileTypes: true })) {
    const path = join(execRoot, entry.name);
    // systemd listens there before we run.
    if (entry.isSocket()) continue;
    if (isMountPoint(path)) throw conflict(`${path} is still mounted although the machine was restarted`, { hint: `umount ${path}` });
    rmSync(path, { recursive: true, force: true });
  }
  const file = openSync(mark, 'w', 0o600);
  writeSync(file, bootId);
  closeSync(file);
  return true;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
