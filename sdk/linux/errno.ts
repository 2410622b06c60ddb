import { getSystemErrorMap } from 'node:util';
import { errnoNameOf } from '../errors.ts';
import { declare, errno as lastErrno, koffi } from './calls.ts';

/** What Node throws for a failed system call, so that callers need one habit only. */
export interface SystemCallError extends Error {
  /** The negative number, as in Node. */
  readonly errno: number;
  /** The name, e.g. `ENOENT`. */
  readonly code: string;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;
}

export interface ErrnoPlace {
  readonly path?: string | Uint8Array | undefined;
  readonly dest?: string | Uint8Array | undefined;
  /** More words from the kernel (fs context log, netlink's extended ack), added to the message. */
  readonly detail?: string | undefined;
  /** The number, when it did not come through errno (netlink, posix_spawn, raw answers). */
  readonly errno?: number | undefined;
}

/** The error for the call that has just failed in this thread: `ENOENT: no such file or directory, mount '/a' -> '/b'`. Call it before anything else can change errno. */
export function errnoError(syscall: string, place: ErrnoPlace | string | Uint8Array = {}): SystemCallError {
  const {
    path,
    dest,
    detail,
    errno = lastErrno(),
  }: ErrnoPlace = typeof place === 'string' || place instanceof Uint8Array ? { path: place } : place;
  const [code, words] = describe(errno);
  const from = path === undefined ? '' : ` '${printable(path)}'`;
  const to = dest === undefined ? '' : ` -> '${printable(dest)}'`;
  const error = new Error(`${code}: ${words}, ${syscall}${from}${to}${detail ? ` (${detail})` : ''}`);
  Error.captureStackTrace(error, errnoError);
  return Object.assign(error, {
    errno: -errno,
    code,
    syscall,
    ...(path === undefined ? {} : { path: printable(path) }),
    ...(dest === undefined ? {} : { dest: printable(dest) }),
  });
}

/** Gives the answer of a call back, or throws its errno when it is negative. */
export function checked(result: number, syscall: string, place?: ErrnoPlace | string | Uint8Array): number {
  if (result < 0) throw errnoError(syscall, place);
  return result;
}

/** Whether a thrown value is a system call's failure with one of these names. */
export function isErrno(error: unknown, ...codes: readonly string[]): error is SystemCallError {
  return codes.includes(errnoNameOf(error) ?? '');
}

/** Any thrown value as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

const strerror = declare<(errno: number) => string>('strerror', 'str', ['int']);

/** libuv has Node's own words (ENOTSUP is its name for EOPNOTSUPP, and it speaks of sockets there); what it does not know (EUCLEAN and others) comes from the C library. */
function describe(errno: number): readonly [string, string] {
  const known = getSystemErrorMap().get(-errno);
  if (known) return known[0] === 'ENOTSUP' ? ['ENOTSUP', 'operation not supported'] : known;
  const name = Object.entries(koffi().os.errno).find(([, value]) => value === errno)?.[0];
  return [name ?? `E${errno}`, strerror(errno).toLowerCase()];
}

function printable(path: string | Uint8Array): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString();
}
