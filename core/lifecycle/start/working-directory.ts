import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { posix } from 'node:path';
import { fromErrno, invalidArgument } from '@gantry/sdk';
import { isErrno, openInRoot, openPath } from '@gantry/sdk/linux';

/**
 * Makes a missing working directory inside the root. Every step is taken relative to the one before, inside the root, so that a symlink of
 * the image's leads nowhere else (CVE-2026-55686). Something that is no folder is `invalid_argument`.
 */
export function ensureWorkingDirectory(rootfs: string, path: string): void {
  if (path === '/') return;
  // The runtime would enter it through its own descriptors (CVE-2024-21626).
  if (/^\/+proc(\/|$)/.test(posix.normalize(path)))
    throw invalidArgument(`the working directory '${path}' is invalid, it must not be in /proc`);
  const root = openSync(rootfs, openPath | constants.O_DIRECTORY);
  try {
    const parts = posix.normalize(path).split('/').filter(Boolean);
    for (const [index, name] of parts.entries()) ensureFolder(root, `/${parts.slice(0, index).join('/')}`, name);
  } finally {
    closeSync(root);
  }
}

function ensureFolder(root: number, parent: string, name: string): void {
  const folder = openInRoot(root, parent, { flags: openPath | constants.O_DIRECTORY });
  try {
    mkdirSync(`/proc/self/fd/${folder}/${name}`, { mode: 0o755 });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw fromErrno(error, `make working directory ${posix.join(parent, name)}`);
    checkFolder(root, posix.join(parent, name));
  } finally {
    closeSync(folder);
  }
}

function checkFolder(root: number, path: string): void {
  try {
    closeSync(openInRoot(root, path, { flags: openPath | constants.O_DIRECTORY }));
  } catch (error) {
    if (isErrno(error, 'EROFS')) return;
    throw invalidArgument(`Cannot mkdir: ${path} is not a directory`, { cause: error });
  }
}
