import { GantryError, fromErrno } from '@gantry/sdk';

/** SQLite's result codes, sqlite3.h, as far as they speak of the disk. */
const errnos: Readonly<Record<number, readonly [code: string, text: string]>> = {
  8: ['EROFS', 'read-only file system'],
  10: ['EIO', 'input/output error'],
  13: ['ENOSPC', 'no space left on device'],
};

/** SQLITE_FULL: the disk has no room, or the user's quota. */
export function isDiskFull(error: unknown): boolean {
  return resultCode(error) === 13;
}

/** The store's failure in the words of the system call behind it; any other error as it is. */
export function translated(error: unknown): unknown {
  const errno = errnos[resultCode(error) ?? 0];
  if (errno === undefined || GantryError.is(error)) return error;
  const [code, text] = errno;
  return fromErrno(Object.assign(new Error(text, { cause: error }), { code }), 'write the metadata store');
}

/** Without the extension in the upper bits. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}
