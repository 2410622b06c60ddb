import { declare, type Pointer } from '../calls.ts';
import { checked } from '../errno.ts';
import { cPath, type Path } from '../path.ts';

/** What belongs to the calling thread alone, or can be made to. */

/** CLONE_* for unshare(2) and setns(2). */
export const cloneFlags = {
  time: 0x80,
  fs: 0x200,
  mount: 0x20000,
  cgroup: 0x2000000,
  uts: 0x4000000,
  ipc: 0x8000000,
  user: 0x10000000,
  pid: 0x20000000,
  net: 0x40000000,
} as const;
export type CloneFlag = keyof typeof cloneFlags;

/** Gives this thread its own copy: unshare(2). With `fs`, its root, working directory and umask are its own; threads that it starts share them. */
export function unshare(...kinds: readonly CloneFlag[]): void {
  checked(callUnshare(kinds.reduce((all, kind) => all | cloneFlags[kind], 0)), 'unshare', { path: kinds.join('+') });
}

/** Moves this thread into a namespace, named by a descriptor of its file or by a pidfd: setns(2). For `mount` the thread must have done `unshare('fs')` first. */
export function setns(namespace: number, ...kinds: readonly CloneFlag[]): void {
  checked(
    callSetns(
      namespace,
      kinds.reduce((all, kind) => all | cloneFlags[kind], 0),
    ),
    'setns',
    { path: kinds.join('+') },
  );
}

/** Changes the root folder: chroot(2). In a thread without `unshare('fs')` it hits the whole process. The working directory stays: go there next. */
export function chroot(path: Path): void {
  checked(callChroot(cPath(path)), 'chroot', path);
}

/** Changes the working directory, by path or descriptor; unlike `process.chdir` it works in a worker. In a thread without `unshare('fs')` it hits the whole process. */
export function chdir(place: Path | number): void {
  if (typeof place === 'number') checked(callFchdir(place), 'fchdir');
  else checked(callChdir(cPath(place)), 'chdir', place);
}

/** Sets the umask and answers the former one; unlike `process.umask` it works in a worker. */
export function umask(mask: number): number {
  return callUmask(mask);
}

/** Names the machine, in this thread's uts namespace: sethostname(2). */
export function setHostname(name: string): void {
  checked(callSethostname(name, Buffer.byteLength(name)), 'sethostname');
}

/** The kernel's number of this thread: gettid(2). */
export function threadId(): number {
  return callGettid(process.arch === 'x64' ? 186 : 178);
}

const callUnshare = declare<(flags: number) => number>('unshare', 'int', ['int']);
const callSetns = declare<(namespace: number, kinds: number) => number>('setns', 'int', ['int', 'int']);
const callChroot = declare<(path: Pointer) => number>('chroot', 'int', ['str']);
const callChdir = declare<(path: Pointer) => number>('chdir', 'int', ['str']);
const callFchdir = declare<(folder: number) => number>('fchdir', 'int', ['int']);
const callUmask = declare<(mask: number) => number>('umask', 'uint', ['uint']);
const callSethostname = declare<(name: string, sizeBytes: number) => number>('sethostname', 'int', ['str', 'size_t']);
const callGettid = declare<(number: number) => number>('syscall', 'long', ['long']);
