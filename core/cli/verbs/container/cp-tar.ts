import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { internal, unavailable } from '@gantry/sdk/errors';

/** How the top entry of the tar is called, and how it shall be called here; "." puts what is in it into the folder itself. */
export interface Rename {
  readonly from: string;
  readonly to: string;
}

/** Unpacks with tar(1), which keeps hostile names and links inside the folder. */
export async function extractTar(
  tar: AsyncIterable<Buffer>,
  folder: string,
  { rename, keepOwners }: { readonly rename: Rename; readonly keepOwners: boolean },
): Promise<void> {
  const owners = keepOwners ? '--same-owner' : '--no-same-owner';
  const process = startTar(['-xpf', '-', owners, '-C', folder, ...renaming(rename)], ['pipe', 'ignore', 'pipe']);
  const ended = outcome(process);
  if (process.stdin !== null) await pipeline(Readable.from(tar), process.stdin).catch(() => undefined);
  await ended;
}

/** Packs a file or folder under another name; with `followLink` what the source itself links to. `leaveOut`: paths from the source. */
export async function* packTar(
  source: string,
  { as, followLink, leaveOut = [] }: { readonly as: string; readonly followLink: boolean; readonly leaveOut?: Iterable<string> },
): AsyncGenerator<Buffer> {
  const path = followLink || source.endsWith('/') ? realpathSync(source) : resolve(source);
  const isContents = as === '.';
  const [folder, entry] = isContents ? [path, '.'] : [dirname(path), basename(path)];
  const names = isContents ? [] : renaming({ from: entry, to: as });
  const without = [...leaveOut].map((inside) => `--exclude=./${inside}`);
  const excluding = without.length === 0 ? [] : ['--anchored', '--no-wildcards', ...without];
  const process = startTar(
    ['-cf', '-', '-C', folder, ...names, ...excluding, '--', isContents ? '.' : `./${entry}`],
    ['ignore', 'pipe', 'pipe'],
  );
  const ended = outcome(process);
  ended.catch(() => undefined);
  if (process.stdout !== null) yield* process.stdout as AsyncIterable<Buffer>;
  await ended;
}

/** Packs these paths of a folder, and nothing that is in them but not named. Owners are left out: they are whoever sends them. */
export async function* packList(folder: string, paths: readonly string[]): AsyncGenerator<Buffer> {
  const list = ['--no-recursion', '--null', '--verbatim-files-from', '--files-from=-'];
  const process = startTar(
    ['-cf', '-', '--owner=:0', '--group=:0', '--numeric-owner', '--sort=none', '-C', folder, ...list],
    ['pipe', 'pipe', 'pipe'],
  );
  const ended = outcome(process);
  ended.catch(() => undefined);
  // tar ends early when it cannot read something, and says so.
  process.stdin?.on('error', () => undefined).end(paths.map((path) => `${path}\0`).join(''));
  if (process.stdout !== null) yield* process.stdout as AsyncIterable<Buffer>;
  await ended;
}

function startTar(given: readonly string[], stdio: ['pipe' | 'ignore', 'pipe' | 'ignore', 'pipe']): ChildProcess {
  return spawn('tar', given, { stdio });
}

async function outcome(process: ChildProcess): Promise<void> {
  let words = '';
  process.stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString('utf8')).slice(0, 2000);
  });
  const failed = once(process, 'error').then(([error]: unknown[]) => {
    throw unavailable('this needs tar(1), which could not be started', { cause: error, hint: 'install the package tar' });
  });
  const closed = once(process, 'close').then(([code]: unknown[]) => {
    if (code !== 0) throw internal(words.trim().split('\n')[0] ?? `tar ended with ${String(code)}`);
    return undefined;
  });
  await Promise.race([closed, failed]);
}

/** Names and the targets of hard links, which are names, but not those of symbolic links. */
function renaming({ from, to }: Rename): readonly string[] {
  if (from === to || from === '' || from === '/' || from === '.') return [];
  const pattern = from.replaceAll(/[\\^$.*[\]/&,]/g, String.raw`\$&`);
  const replacement = to.replaceAll(/[\\&,]/g, String.raw`\$&`);
  return ['--transform', String.raw`s,^\(\./\)\?${pattern}\(/\|$\),${replacement}\2,rhS`];
}
