import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';

/** What was stored last: the file with this inode had this size when the entry with this number of this stream was in it. */
export interface Place {
  readonly streamId: string;
  readonly seq: number;
  readonly inode: number;
  readonly sizeBytes: number;
}

const widthBytes = 256;

/** Where the note of a log is kept. */
export function placePath(path: string): string {
  return `${path}.place`;
}

/** Undefined when there is none, or it cannot be read: then everything that comes is new. */
export function readPlace(path: string): Place | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isPlace(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Overwrites in one write of fixed width, so a killed engine leaves the old place or the new one. */
export function writePlace(path: string, place: Place): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    writeSync(file, JSON.stringify(place).padEnd(widthBytes), 0);
  } finally {
    closeSync(file);
  }
}

function isPlace(value: unknown): value is Place {
  if (typeof value !== 'object' || value === null) return false;
  const { streamId, seq, inode, sizeBytes } = value as Record<string, unknown>;
  return typeof streamId === 'string' && [seq, inode, sizeBytes].every(Number.isSafeInteger);
}
