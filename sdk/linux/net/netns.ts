import { closeSync, openSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { asError, isErrno } from '../errno.ts';
import { mount, mountFlags, umount2, unmountFlags } from '../mounts/mount.ts';
import { setns, unshare } from '../processes/thread.ts';

/** A network namespace by its descriptor; `undefined` is the one this thread is in. */
export type Netns = number | undefined;

/** A descriptor of a network namespace, from its pinned file or /proc/PID/ns/net. Close it. */
export function openNetns(path: string): number {
  return openSync(path, 'r');
}

/**
 * Runs a synchronous function with this thread inside a network namespace, and comes back: only the sockets, the sysctls and the processes made meanwhile are of that
 * namespace. Refuses a function that answers a promise, since it would go on outside. If the way back fails, the process ends with SIGABRT: it would otherwise serve its
 * own sockets in a container's network.
 */
export function withNetns<T>(netns: Netns, inside: () => T): T {
  if (netns === undefined) return inside();
  const home = openSync(ownNetns, 'r');
  try {
    setns(netns, 'net');
    try {
      return synchronous(inside());
    } finally {
      goHome(home);
    }
  } finally {
    closeSync(home);
  }
}

/**
 * Makes a network namespace and pins it at `path`, whose folder must exist; everything in it is down, the loopback as well. This thread comes back at once, as in `withNetns`.
 * Throws EEXIST when the path is taken; a failure leaves nothing behind.
 */
export function createNetns(path: string): void {
  writeFileSync(path, '', { flag: 'wx', mode: 0o444 });
  const home = openSync(ownNetns, 'r');
  try {
    unshare('net');
    try {
      mount(ownNetns, path, { flags: mountFlags.bind });
    } finally {
      goHome(home);
    }
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(home);
  }
}

/** Unpins a network namespace; the kernel removes it when nobody uses it any more. Nothing happens when it is not there. */
export function removeNetns(path: string): void {
  try {
    umount2(path, unmountFlags.detach);
  } catch (error) {
    if (!isErrno(error, 'EINVAL', 'ENOENT')) throw error;
  }
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Writes a sysctl of a network namespace: `writeNetSysctl(ns, 'net/ipv4/ip_forward', '1')`. Throws ENOENT for one that this kernel lacks. */
export function writeNetSysctl(netns: Netns, name: string, value: string): void {
  if (!/^net(\/[A-Za-z0-9_.:@-]+)+$/.test(name) || name.split('/').includes('..')) {
    throw Object.assign(new TypeError(`"${name}" is no network sysctl (such as net/ipv4/ip_forward)`), { code: 'ERR_INVALID_ARG_VALUE' });
  }
  withNetns(netns, () => writeFileSync(`/proc/sys/${name}`, value, { flag: 'r+' }));
}

const ownNetns = '/proc/thread-self/ns/net';

function goHome(home: number): void {
  try {
    setns(home, 'net');
  } catch (error) {
    writeSync(2, `cannot return to the engine's own network namespace, aborting: ${asError(error).message}\n`);
    process.kill(process.pid, 'SIGABRT');
    throw error;
  }
}

function synchronous<T>(result: T): T {
  if (result instanceof Promise) {
    result.catch(() => undefined);
    throw new TypeError('what runs inside a network namespace must not answer a promise');
  }
  return result;
}
