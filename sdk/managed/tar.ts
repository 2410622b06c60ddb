import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { internal, invalidArgument, unavailable } from '../errors.ts';
import type { Abortable } from '../types/index.ts';

/** Unpacks a tar, compressed or not, into an empty folder, with tar(1), which follows no link out of a folder that it fills itself. Devices are left out. */
export async function unpackTar(file: string, folder: string, { signal }: Abortable = {}): Promise<void> {
  const words = ['-xf', file, '-C', folder, '--no-same-owner', '--exclude=./dev/*', '--exclude=dev/*'];
  const tar = start(words, { signal });
  const why = await outcome(tar);
  if (why !== undefined) throw invalidArgument(`${file} cannot be unpacked: ${why}`);
}

/** A tar of what is in a folder, in the order of its names, everything as user 0's: the same folder gives the same bytes. */
export async function* packTar(folder: string, { signal }: Abortable = {}): AsyncGenerator<Buffer> {
  const order = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];
  const tar = start(['-cf', '-', ...order, '-C', folder, '.'], { signal });
  const ended = outcome(tar);
  ended.catch(() => undefined);
  yield* tar.stdout as AsyncIterable<Buffer>;
  const why = await ended;
  if (why !== undefined) throw internal(`${folder} cannot be packed: ${why}`);
}

function start(words: readonly string[], { signal }: Abortable) {
  return spawn('tar', words, { stdio: ['ignore', 'pipe', 'pipe'], ...(signal === undefined ? {} : { signal }) });
}

/** Its first complaint; undefined: it did what it was told. */
async function outcome(tar: ReturnType<typeof start>): Promise<string | undefined> {
  let words = '';
  tar.stderr.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(0, 2_000)));
  const failed = once(tar, 'error').then(([error]: unknown[]) => {
    if (error instanceof Error && error.name === 'AbortError') throw error;
    throw unavailable('tar(1) could not be started', { cause: error, hint: 'install the package tar' });
  });
  const closed = once(tar, 'close').then(([code]: unknown[]) =>
    code === 0 ? undefined : (words.trim().split('\n')[0] ?? `it ended with ${String(code)}`),
  );
  return Promise.race([closed, failed]);
}
