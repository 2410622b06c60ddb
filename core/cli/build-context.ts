import { createReadStream, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, resolve } from 'node:path';
import { fromErrno, invalidArgument } from '@gantry/sdk/errors';
import { ignores, readIgnoreFile } from '@gantry/sdk/builder';
import { packList } from './verbs/container/cp-tar.ts';

export interface BuildInput {
  readonly tar: AsyncIterable<Buffer>;
  /** Path of the Dockerfile in the tar. */
  readonly dockerfile: string;
  readonly remote?: string;
}

/** What `gantry build` sends: a folder without what its .dockerignore leaves out, an archive on stdin, or the address of an archive, a Dockerfile or a repository. */
export function buildInput(given: string, file: string | undefined): BuildInput {
  if (given === '-') return { tar: process.stdin as AsyncIterable<Buffer>, dockerfile: file ?? '' };
  if (isAddress(given)) return { tar: nothing(), dockerfile: file ?? '', remote: given };
  const folder = resolve(given);
  const isArchive = isFile(folder);
  if (isArchive) return { tar: createReadStream(folder, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>, dockerfile: file ?? '' };
  const dockerfile = relative(folder, file === undefined ? join(folder, 'Dockerfile') : resolve(file));
  if (dockerfile.startsWith('..'))
    throw invalidArgument(`the Dockerfile ${file} is not in the context ${given}`, { hint: 'copy it there, or choose another context' });
  if (!existsSync(join(folder, dockerfile))) throw invalidArgument(`there is no ${dockerfile} in ${given}`, { hint: 'name it with -f' });
  return { tar: packList(folder, contextPaths(folder, dockerfile)), dockerfile };
}

function isAddress(given: string): boolean {
  return /^(?:https?|git|ssh):\/\/|^git@|^github\.com\//i.test(given) && !existsSync(given);
}

async function* nothing(): AsyncIterable<Buffer> {
  // The server fetches it.
}

function isFile(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch (error) {
    throw fromErrno(error, 'cannot read the context');
  }
}

/** Paths in the folder, folders before what is in them. The Dockerfile and .dockerignore go along: the server reads them, and leaves them out then. */
function contextPaths(folder: string, dockerfile: string): readonly string[] {
  const own = [`${dockerfile}.dockerignore`, '.dockerignore'].find((name) => existsSync(join(folder, name)));
  const isLeftOut = ignores(own === undefined ? [] : readIgnoreFile(readFileSync(join(folder, own), 'utf8')));
  const found: string[] = [];
  const pending = [''];
  for (let below = pending.pop(); below !== undefined; below = pending.pop()) {
    for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
      const path = posix.join(below, entry.name);
      const stays = !isLeftOut(path) || path === dockerfile || path === own;
      if (stays && !entry.isSocket()) found.push(path);
      if (entry.isDirectory() && (stays || isLeftOut.hasExceptions || dockerfile.startsWith(`${path}/`))) pending.push(path);
    }
  }
  return found.toSorted();
}
