import { declare, declareAside } from './calls.ts';
import { checked } from './errno.ts';

/** ioctl(2) with a structure, which the kernel reads or writes. Throws its errno. */
export function ioctl(file: number, request: number, argument: Uint8Array, name: string): number {
  return checked(callIoctl(file, request, argument), `ioctl ${name}`);
}

/**
 * The same in Node's thread pool, for requests that wait for a disk. It is made again here when it failed, for the errno, which does not come from there:
 * only for requests that change nothing when they fail.
 */
export async function ioctlAside(file: number, request: number, argument: Uint8Array, name: string): Promise<number> {
  const result = await callAside(file, request, argument);
  return result < 0 ? ioctl(file, request, argument, name) : result;
}

const parameters = ['int', 'ulong', 'void *'];
const callIoctl = declare<(file: number, request: number, argument: Uint8Array) => number>('ioctl', 'int', parameters);
const callAside = declareAside<[file: number, request: number, argument: Uint8Array], number>('ioctl', 'int', parameters);
