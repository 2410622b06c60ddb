import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { declare } from '../calls.ts';
import { errnoError } from '../errno.ts';
import { openPath } from '../files/open.ts';
import { cPath } from '../path.ts';

/** sun_path holds no more; longer paths go by a descriptor of their folder. */
const pathLimitBytes = 107;

/** connect(2) of a unix socket to a path of any length. False while the listener's queue is full; throws ENOENT, ECONNREFUSED, EPROTOTYPE, … */
export function connectUnix(socket: number, path: string): boolean {
  const terminated = Buffer.from(cPath(path));
  if (terminated.length <= pathLimitBytes) return connectShort(socket, terminated, path);
  const folder = openSync(dirname(path), openPath | constants.O_DIRECTORY);
  try {
    return connectShort(socket, Buffer.from(`/proc/self/fd/${folder}/${basename(path)}`), path);
  } finally {
    closeSync(folder);
  }
}

function connectShort(socket: number, name: Buffer, path: string): boolean {
  if (name.length > pathLimitBytes) throw errnoError('connect', { path, errno: 36 });
  const address = Buffer.alloc(110);
  address.writeUInt16LE(1);
  name.copy(address, 2);
  if (callConnect(socket, address, 2 + name.length + 1) === 0) return true;
  const error = errnoError('connect', path);
  if (error.code === 'EAGAIN') return false;
  throw error;
}

const callConnect = declare<(socket: number, address: Uint8Array, sizeBytes: number) => number>('connect', 'int', [
  'int',
  'void *',
  'uint',
]);
