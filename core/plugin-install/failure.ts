import { fromErrno, GantryError } from '@gantry/sdk';

/** A failed system call says what it was for; what is ours already, and an abort, stay what they are. */
export function failure(error: unknown, doing: string): unknown {
  const isAbort = error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
  return GantryError.is(error) || isAbort ? error : fromErrno(error, doing);
}
