import { declare } from '../calls.ts';
import { checked } from '../errno.ts';
import { cPath, type Path } from '../path.ts';

/** What statx(2) knows and Node's stat does not say: which mount a path is on, and whether it is that mount's root. By path, or by a descriptor, which O_PATH may have opened. Linux 5.8. */
export function statxMount(path: Path | number): { readonly mountId: number; readonly isMountRoot: boolean } {
  const answer = Buffer.alloc(256);
  const flags = atSymlinkNofollow | atNoAutomount | atStatxDontSync;
  if (typeof path === 'number') checked(callStatx(path, '', flags | atEmptyPath, mountIdMask, answer), 'statx', `descriptor ${path}`);
  else checked(callStatx(-100, cPath(path), flags, mountIdMask, answer), 'statx', path);
  return { mountId: Number(answer.readBigUInt64LE(144)), isMountRoot: (answer.readUInt32LE(8) & 0x2000) !== 0 };
}

/** The mount that a path is on, under a number that no other mount gets before the next boot; undefined before Linux 6.8. */
export function uniqueMountId(path: Path): bigint | undefined {
  const answer = Buffer.alloc(256);
  checked(callStatx(-100, cPath(path), atSymlinkNofollow | atNoAutomount | atStatxDontSync, uniqueMountIdMask, answer), 'statx', path);
  return (answer.readUInt32LE(0) & uniqueMountIdMask) === 0 ? undefined : answer.readBigUInt64LE(144);
}

const atSymlinkNofollow = 0x100;
const atNoAutomount = 0x800;
const atEmptyPath = 0x1000;
/** What the kernel itself knows: a file system whose server hangs is not asked. */
const atStatxDontSync = 0x4000;
const mountIdMask = 0x1000;
const uniqueMountIdMask = 0x4000;

/** Of a path, or a name with a NUL at its end, in an open folder. */
export const callStatx = declare<(directory: number, path: Path, flags: number, mask: number, answer: Uint8Array) => number>(
  'statx',
  'int',
  ['int', 'str', 'int', 'uint', 'void *'],
);
