import { basename, dirname, join, resolve } from 'node:path';
import { lstatSync, statSync } from 'node:fs';
import { fromErrno, invalidArgument, notFound } from '@gantry/sdk/errors';
import type { Client } from '@gantry/sdk/client';
import type { PathStat } from '@gantry/sdk/engine';
import { usageReason } from '../../command.ts';
import { splitContainerPath } from '../../parse/container-path.ts';
import { flag } from '../../option.ts';
import { writeAll } from '../../session/session.ts';
import { verb } from '../../verb.ts';
import { extractTar, packTar } from './cp-tar.ts';

interface CpFlags {
  readonly archive?: boolean;
  readonly followLink?: boolean;
  readonly quiet?: boolean;
}

/** Go's os.ModeDir and os.ModeSymlink, in which the engine answers. */
const modeDir = 0x8000_0000;
const modeSymlink = 0x0800_0000;

export const cp = verb<CpFlags>({
  arguments: '<source> <destination>',
  options: [
    flag('-a, --archive', 'With owners and groups'),
    flag('-L, --follow-link', 'What the source links to, not the link'),
    flag('-q, --quiet', 'Print nothing'),
  ],
  notes: "One of both is container:/path; '-' is a tar on stdin or stdout.",
  async action(context, [from = '', to = ''], flags) {
    const source = splitContainerPath(from);
    const destination = splitContainerPath(to);
    if ((source.container === undefined) === (destination.container === undefined)) {
      throw invalidArgument('one of both must be container:/path', { reason: usageReason });
    }
    const client = await context.client();
    if (source.container !== undefined) await copyOut(client, source.container, source.path, destination.path, flags);
    else await copyIn(client, destination.container ?? '', source.path, destination.path, flags);
    if (flags.quiet !== true && process.stderr.isTTY) context.note(`Copied ${from} to ${to}`);
  },
});

async function copyOut(
  { containers }: Client,
  container: string,
  path: string,
  destination: string,
  { followLink, archive }: CpFlags,
): Promise<void> {
  const source = followLink === true ? await followedPath(containers, container, path) : path;
  const { stat, tar } = await containers.getArchive(container, source);
  if (destination === '-') {
    for await (const chunk of tar) await writeAll(process.stdout, chunk);
    return;
  }
  const isFolder = (stat.mode & modeDir) !== 0;
  const { folder, name } = localTarget(destination, { isFolder, name: contentsOnly(path) ? '.' : stat.name });
  await extractTar(tar, folder, { rename: { from: stat.name, to: name }, keepOwners: archive === true });
}

async function copyIn(
  { containers }: Client,
  container: string,
  source: string,
  destination: string,
  { followLink, archive }: CpFlags,
): Promise<void> {
  const options = { noOverwriteDirNonDir: true, copyUidGid: archive === true };
  const target = await statInside(containers, container, destination);
  const isFolderThere = target !== undefined && (target.mode & modeDir) !== 0;
  if (source === '-') {
    if (!isFolderThere) throw invalidArgument(`destination ${container}:${destination} must be a directory`);
    await containers.putArchive(container, destination, process.stdin as AsyncIterable<Buffer>, options);
    return;
  }
  const isFolder = isLocalFolder(source, followLink === true);
  if (!isFolder && target === undefined && destination.endsWith('/')) throw notFound(`no such directory: ${container}:${destination}`);
  if (isFolder && target !== undefined && !isFolderThere)
    throw invalidArgument(`cannot copy a directory to a file: ${container}:${destination}`);
  const inside = isFolderThere
    ? { folder: destination, name: contentsOnly(source) ? '.' : basename(resolve(source)) }
    : { folder: dirname(destination), name: basename(destination) };
  await containers.putArchive(container, inside.folder, packTar(source, { as: inside.name, followLink: followLink === true }), options);
}

/** As cp(1): into a folder that exists, under the source's name; else at the destination itself, whose folder must exist. */
function localTarget(destination: string, { isFolder, name }: { isFolder: boolean; name: string }): { folder: string; name: string } {
  const there = localStat(destination);
  if (there?.isDirectory() === true) return { folder: destination, name };
  if (there !== undefined && isFolder) throw invalidArgument(`cannot copy a directory to a file: ${destination}`);
  const parent = dirname(resolve(destination));
  if (localStat(parent)?.isDirectory() !== true || (there === undefined && destination.endsWith('/') && !isFolder)) {
    throw notFound(`no such directory: ${there === undefined && destination.endsWith('/') ? destination : parent}`);
  }
  return { folder: parent, name: basename(resolve(destination)) };
}

async function statInside(containers: Client['containers'], container: string, path: string): Promise<PathStat | undefined> {
  try {
    return await containers.statPath(container, await followedPath(containers, container, path));
  } catch {
    return undefined;
  }
}

async function followedPath(containers: Client['containers'], container: string, path: string): Promise<string> {
  const stat = await containers.statPath(container, path);
  if ((stat.mode & modeSymlink) === 0) return path;
  return stat.linkTarget.startsWith('/') ? stat.linkTarget : join(dirname(path), stat.linkTarget);
}

function contentsOnly(path: string): boolean {
  return path === '.' || path.endsWith('/.');
}

function isLocalFolder(path: string, followLink: boolean): boolean {
  try {
    return (followLink || path.endsWith('/') ? statSync(path) : lstatSync(path)).isDirectory();
  } catch (error) {
    throw fromErrno(error, 'cannot read the source');
  }
}

function localStat(path: string): ReturnType<typeof statSync> | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
