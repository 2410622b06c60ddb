import { createReadStream, createWriteStream, existsSync, renameSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { FileOptions } from './options.ts';

const compressing = new Map<string, Promise<void>>();

/** Moves `path` to `path.1`, what is there one further, and deletes what is more than `maxFiles`. Compresses in the background; the next rotation waits for that. */
export async function rotate(path: string, { maxFiles, compress }: FileOptions): Promise<void> {
  await compressing.get(path);
  for (const suffix of ['', '.gz']) rmSync(`${path}.${maxFiles - 1}${suffix}`, { force: true });
  for (let number = maxFiles - 2; number >= 1; number -= 1) {
    for (const suffix of ['', '.gz']) {
      if (existsSync(`${path}.${number}${suffix}`)) renameSync(`${path}.${number}${suffix}`, `${path}.${number + 1}${suffix}`);
    }
  }
  if (maxFiles === 1) rmSync(path, { force: true });
  else renameSync(path, `${path}.1`);
  if (!compress) return;
  const work = gzip(`${path}.1`)
    .catch(() => rmSync(`${path}.1.gz.tmp`, { force: true }))
    .finally(() => compressing.delete(path));
  compressing.set(path, work);
}

/** The plain file stays when this fails, and until the compressed one is whole. */
async function gzip(path: string): Promise<void> {
  const temporary = `${path}.gz.tmp`;
  await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary, { mode: 0o640 }));
  renameSync(temporary, `${path}.gz`);
  rmSync(path);
}
