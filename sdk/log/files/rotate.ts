import { createReadStream, createWriteStream, existsSync, renameSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { FileOptions } from './options.ts';

const compressing = new Map<string, Promise<void>>();

/** Moves `path` to `path.1`, what is there one further, and deletes what is more than `maxFiles`. Compresses in the background; the next rotation waits for that. */
export async function rotate(path: string, { maxFiles, compress }: FileOptions): Promise<void> {
  await compressing.get(path);
  const suffixes = ['', '.gz'];
  let oldest = 0;
  while (suffixes.some((suffix) => existsSync(`${path}.${oldest + 1}${suffix}`))) oldest += 1;
  for (let number = oldest; number >= 1; number -= 1) {
    for (const suffix of suffixes) {
      const from = `${path}.${number}${suffix}`;
      if (number >= maxFiles - 1) rmSync(from, { force: true });
      else if (existsSync(from)) renameSync(from, `${path}.${number + 1}${suffix}`);
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
