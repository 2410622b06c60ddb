import { invalidArgument } from '@gantry/sdk';
import { shownRemote } from './address.ts';
import type { Commit } from './files.ts';
import { type Git, isRefusal, runGit } from './git.ts';

/** Fetches one commit into a fresh repository: alone when the server lets us, else with all that branches and tags have. */
export async function fetchCommit(git: Git, remote: string, ref: string): Promise<Commit> {
  await runGit(git, ['init', '--quiet', '--bare', '--template=', '.']);
  try {
    return { git, id: await fetchOne(git, remote, ref) };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    throw invalidArgument(`failed to fetch ${shownRemote(remote)}${ref === '' ? '' : `#${ref}`}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function fetchOne(git: Git, remote: string, ref: string): Promise<string> {
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-auto-maintenance'];
  try {
    await runGit(git, [...fetch, '--depth=1', '--', remote, ref === '' ? 'HEAD' : ref]);
    return await commitOf(git, 'FETCH_HEAD');
  } catch (error) {
    // A commit that is no branch's or tag's own, part of its name, or a server that only sends everything.
    const isWorthAll = /^[0-9a-f]{7,64}$/.test(ref) || /shallow|dumb http/i.test(String(error));
    if (!isRefusal(error) || !isWorthAll) throw error;
    await runGit(git, [...fetch, '--', remote, '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*', '+HEAD:refs/gantry/head']);
    return await commitOf(git, ref === '' ? 'refs/gantry/head' : ref);
  }
}

async function commitOf(git: Git, name: string): Promise<string> {
  return (await runGit(git, ['rev-parse', '--verify', '--end-of-options', `${name}^{commit}`])).toString().trim();
}
