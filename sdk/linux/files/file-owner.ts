import { declare } from '../calls.ts';
import { checked, errnoError } from '../errno.ts';

/** Whose the files are that a thread makes. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Has what this thread makes belong to somebody else, and nothing else change: setfsuid(2). A mount that shows owners as others takes new files only of those that it
 * shows. The kernel takes the rights over files away from whoever is not root; they are taken back. For threads of our own, or with `withFileOwner`.
 */
export function setFileOwner({ uid, gid }: FileOwner): void {
  callOne(numbers.setfsgid, gid);
  callOne(numbers.setfsuid, uid);
  // Neither says whether it did: the next call answers who was it before.
  if (callOne(numbers.setfsgid, -1) !== gid || callOne(numbers.setfsuid, -1) !== uid)
    throw errnoError('setfsuid', { errno: 1 /* EPERM */ });
  if (uid !== 0) raiseAllRights();
}

/** Runs a synchronous function with `setFileOwner`, and comes back. */
export function withFileOwner<T>(owner: FileOwner | undefined, make: () => T): T {
  if (owner === undefined) return make();
  try {
    setFileOwner(owner);
    return make();
  } finally {
    setFileOwner({ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 });
  }
}

/** Effective: all that are permitted. */
function raiseAllRights(): void {
  const header = new Uint32Array([0x20080522, 0]);
  const [effective, permitted] = [0, 1];
  const sets = new Uint32Array(6);
  checked(callCapget(header, sets), 'capget');
  for (const at of [0, 3]) sets[at + effective] = sets[at + permitted] ?? 0;
  checked(callCapset(header, sets), 'capset');
}

const numbers = process.arch === 'x64' ? { setfsuid: 122, setfsgid: 123 } : { setfsuid: 151, setfsgid: 152 };

const callOne = declare<(number: number, id: number) => number>('syscall', 'long', ['long', 'long']);
const callCapget = declare<(header: Uint32Array, sets: Uint32Array) => number>('capget', 'int', ['void *', 'void *']);
const callCapset = declare<(header: Uint32Array, sets: Uint32Array) => number>('capset', 'int', ['void *', 'void *']);
