import { randomBytes } from 'node:crypto';
import { closeSync, constants, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromErrno } from '@gantry/sdk';
import { isErrno, mknod, openInRoot, openPath, unreadBytes } from '@gantry/sdk/linux';
import { placeOf } from './mountpoint.ts';
import type { Scope } from './settings.ts';

const longestPauseMs = 50;
const fifoMode = 0o010600;

/**
 * The pipe through which a plugin gets a container's entries. We hold both ends, so that opening it blocks neither side, and know what the
 * plugin has not read yet. Writing never blocks this thread.
 */
export class LogFifo implements Disposable {
  /** As the plugin sees it. */
  readonly path: string;
  readonly #folder: number;
  readonly #name: string;
  readonly #pipe: number;

  private constructor(path: string, folder: number, name: string) {
    this.path = path;
    this.#folder = folder;
    this.#name = name;
    mknod(this.#host(), fifoMode);
    try {
      this.#pipe = openSync(this.#host(), constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    } catch (error) {
      unlinkSync(this.#host());
      throw error;
    }
  }

  /** Makes one in a folder of the plugin's, which is made as well when it is not there. */
  static make(folder: string, scopes: readonly Scope[], plugin: string): LogFifo {
    const name = randomBytes(32).toString('hex');
    const { host, subpath } = scopes.length === 0 ? { host: '/', subpath: folder.slice(1) } : placeOf(folder, scopes, plugin);
    const opened = openFolder(host, subpath);
    try {
      return new LogFifo(join(folder, name), opened, name);
    } catch (error) {
      closeSync(opened);
      throw fromErrno(error, `make a pipe in ${folder}`);
    }
  }

  /** Resolves when the plugin has read all of it; `check` is asked again and again meanwhile, and ends the wait by throwing. */
  async deliver(bytes: Buffer, check: () => void): Promise<void> {
    let pauseMs = 1;
    let sent = 0;
    let unread = Number.POSITIVE_INFINITY;
    for (;;) {
      check();
      const more = sent < bytes.length ? this.#write(bytes.subarray(sent)) : 0;
      sent += more;
      const left = unreadBytes(this.#pipe);
      if (sent === bytes.length && left === 0) return;
      pauseMs = more > 0 || left < unread ? 1 : Math.min(pauseMs * 2, longestPauseMs);
      unread = left;
      await sleep(pauseMs);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#pipe);
    try {
      unlinkSync(this.#host());
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    } finally {
      closeSync(this.#folder);
    }
  }

  #host(): string {
    return `/proc/self/fd/${this.#folder}/${this.#name}`;
  }

  #write(bytes: Buffer): number {
    try {
      return writeSync(this.#pipe, bytes);
    } catch (error) {
      if (isErrno(error, 'EAGAIN')) return 0;
      throw error;
    }
  }
}

/** Resolved inside of `root`, so that a plugin's symlinks lead nowhere else. */
function openFolder(root: string, subpath: string | undefined): number {
  const flags = { flags: openPath | constants.O_DIRECTORY };
  let folder = openInRoot('/', root, flags);
  for (const segment of (subpath ?? '').split('/').filter((each) => each !== '')) {
    const outer = folder;
    try {
      folder = openInner(root, outer, segment, flags);
    } finally {
      closeSync(outer);
    }
  }
  return folder;
}

function openInner(root: string, outer: number, segment: string, flags: { readonly flags: number }): number {
  try {
    // On the machine itself links are the administrator's: /run and /var/run are often ones.
    return root === '/' ? openSync(`/proc/self/fd/${outer}/${segment}`, flags.flags) : openInRoot(outer, segment, flags);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw fromErrno(error, `open ${segment} below ${root}`);
  }
  mkdirSync(`/proc/self/fd/${outer}/${segment}`, { mode: 0o700 });
  return openInRoot(outer, segment, flags);
}
