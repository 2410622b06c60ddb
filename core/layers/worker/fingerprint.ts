import { createHash } from 'node:crypto';
import { closeSync, openSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { getXattr, isErrno, listXattr } from '@gantry/sdk/linux';
import { type EntryPath, kernelPath } from './entry-path.ts';
import { enter } from './root.ts';
import { walk } from './walk.ts';

/** Path and a digest of all that is kept of it. Times of folders do not count: what the archive forgot was made with the clock's. */
export type Fingerprint = readonly (readonly [path: EntryPath, digest: string])[];

/** Reads everything below the root. */
export function fingerprint(root: string, check: () => void): Fingerprint {
  enter(root);
  const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
  return [...walk('')].map(({ path, stat }) => {
    check();
    return [path, digestOf(path, stat, buffer)];
  });
}

function digestOf(path: EntryPath, stat: Stats, buffer: Buffer): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([stat.mode, stat.uid, stat.gid, stat.rdev, ...(stat.isDirectory() ? [] : [stat.size, stat.mtimeMs])]));
  for (const [name, value] of attributesOf(path)) hash.update(`${name}=${value}\0`);
  if (stat.isSymbolicLink()) hash.update(readlinkSync(kernelPath(path), { encoding: 'buffer' }));
  if (stat.isFile()) hashFile(path, { hash, buffer });
  return hash.digest('base64');
}

function hashFile(path: EntryPath, { hash, buffer }: { readonly hash: ReturnType<typeof createHash>; readonly buffer: Buffer }): void {
  const file = openSync(kernelPath(path), 'r');
  try {
    for (let size = readSync(file, buffer); size > 0; size = readSync(file, buffer)) hash.update(buffer.subarray(0, size));
  } finally {
    closeSync(file);
  }
}

/** What overlayfs notes for itself is not part of the tree, except that a folder is opaque. */
function attributesOf(path: EntryPath): readonly (readonly [string, string])[] {
  try {
    return listXattr(kernelPath(path))
      .filter((name) => !name.startsWith('trusted.overlay.') || name === 'trusted.overlay.opaque')
      .toSorted()
      .map((name) => [name, getXattr(kernelPath(path), name)?.toString('base64') ?? '']);
  } catch (error) {
    if (isErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) return [];
    throw error;
  }
}
