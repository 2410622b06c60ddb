import { declare, koffi, type Pointer } from '../calls.ts';
import { checked, isErrno } from '../errno.ts';

/**
 * Who the calling thread is. The C library's setuid(3) and its like change all threads of the process; these are the kernel's own calls, which
 * change this one. What it starts inherits them.
 */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  /** Numbers of the capabilities that are kept; whoever is started can never have others. */
  readonly capabilities: readonly number[];
}

/**
 * Makes this thread another user for good: no supplementary groups, these capabilities in all sets (for user 0 not the inheritable and ambient ones), no others in the
 * bounding set. Needs CAP_SETPCAP, CAP_SETUID and CAP_SETGID. The process is not dumpable afterwards (the kernel's rule for a change of user), so that another
 * process of that user cannot look into our memory through this thread.
 */
export function becomeUser({ uid, gid, capabilities }: Credentials): void {
  const keep = new Set(capabilities);
  dropBounding(keep);
  prctl(8 /* PR_SET_KEEPCAPS */, 1);
  const numbers =
    process.arch === 'x64' ? { setgroups: 116, setresuid: 117, setresgid: 119 } : { setgroups: 159, setresuid: 147, setresgid: 149 };
  checked(callThree(numbers.setgroups, 0, 0, 0), 'setgroups');
  checked(callThree(numbers.setresgid, gid, gid, gid), 'setresgid', { detail: `gid ${gid}` });
  checked(callThree(numbers.setresuid, uid, uid, uid), 'setresuid', { detail: `uid ${uid}` });
  setCapabilities(keep, uid !== 0);
  if (uid !== 0) for (const number of keep) prctl(47 /* PR_CAP_AMBIENT */, 2 /* RAISE */, number);
}

/** From now on no program that this thread starts gains anything by set-user-id bits or file capabilities: prctl(2) PR_SET_NO_NEW_PRIVS. Not to be undone. */
export function setNoNewPrivileges(): void {
  prctl(38, 1);
}

/** Puts a seccomp(2) filter, an array of struct sock_filter, over this thread and what it starts. Not to be undone. Needs `setNoNewPrivileges` first, or CAP_SYS_ADMIN. */
export function installSeccomp(program: Uint8Array): void {
  const header = new BigUint64Array([BigInt(program.byteLength / 8), koffi().address(program)]);
  checked(callSeccomp(process.arch === 'x64' ? 317 : 277, 1 /* SET_MODE_FILTER */, 0, header), 'seccomp');
}

/** Whether this thread may use a file so, by its effective user: faccessat(2). `mode` is a sum of 4 read, 2 write, 1 execute. */
export function mayAccess(path: string, mode: number): boolean {
  return callAccess(-100, path, mode, 0x200 /* AT_EACCESS */) === 0;
}

/** The numbers above the kernel's last are EINVAL. */
function dropBounding(keep: ReadonlySet<number>): void {
  for (let number = 0; number < 64; number++) {
    if (keep.has(number)) continue;
    try {
      prctl(24 /* PR_CAPBSET_DROP */, number);
    } catch (error) {
      if (isErrno(error, 'EINVAL')) return;
      throw error;
    }
  }
}

function setCapabilities(keep: ReadonlySet<number>, isInheritable: boolean): void {
  const header = new Uint32Array([0x20080522, 0]);
  const data = new Uint32Array(6);
  for (const number of keep) {
    const at = number >> 5 === 0 ? 0 : 3;
    const bit = 1 << (number & 31);
    for (const set of isInheritable ? [0, 1, 2] : [0, 1]) data[at + set] = ((data[at + set] ?? 0) | bit) >>> 0;
  }
  checked(callCapset(header, data), 'capset');
}

function prctl(option: number, a: number, b = 0): void {
  checked(callPrctl(option, a, b, 0, 0), 'prctl', { detail: `option ${option}` });
}

const callPrctl = declare<(option: number, a: number, b: number, c: number, d: number) => number>('prctl', 'int', [
  'int',
  'ulong',
  'ulong',
  'ulong',
  'ulong',
]);
const callThree = declare<(number: number, a: number, b: number, c: number) => number>('syscall', 'long', ['long', 'long', 'long', 'long']);
const callSeccomp = declare<(number: number, operation: number, flags: number, program: BigUint64Array) => number>('syscall', 'long', [
  'long',
  'long',
  'long',
  'void *',
]);
const callCapset = declare<(header: Uint32Array, data: Uint32Array) => number>('capset', 'int', ['void *', 'void *']);
const callAccess = declare<(folder: number, path: Pointer, mode: number, flags: number) => number>('faccessat', 'int', [
  'int',
  'str',
  'int',
  'int',
]);
