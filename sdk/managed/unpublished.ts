import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import packlist from 'npm-packlist';
import { invalidArgument, messageOf } from '../errors.ts';
import type { Manifest } from '../manifest.ts';

/**
 * What npm would not publish of a folder with a package.json: what its `files` do not name, or .npmignore or .gitignore do. Paths from the folder, a
 * folder of which nothing is published once. Of a folder without package.json nothing but .git. node_modules is not looked into: what a plugin depends
 * on is packed with it. Refuses with `invalid_argument` a package.json that leaves out what the manifest starts.
 */
export async function unpublishedPaths(folder: string, { name, entry }: Pick<Manifest, 'name' | 'entry'>): Promise<readonly string[]> {
  const about = await readPackage(folder);
  if (about === undefined) return ['.git'];
  const listed = await packlist({ path: folder, package: about, isProjectRoot: true, edgesOut: new Map() });
  const published = new Set(['gantry-plugin.json', ...listed].flatMap(withFolders));
  const program = entry.node ?? entry.exec?.[0];
  const started = program === undefined ? undefined : posix.normalize(program);
  const isLost = started !== undefined && !published.has(started) && (await isFile(join(folder, started)));
  if (isLost && !started.startsWith('/') && !started.startsWith('node_modules/')) {
    throw invalidArgument(`plugin ${name}: package.json publishes no ${program}, which the manifest starts`, {
      hint: about.files === undefined ? `.npmignore or .gitignore leaves it out: say "files" in package.json` : `add it to "files"`,
    });
  }
  return unlisted(folder, published);
}

interface Package {
  readonly files?: readonly string[];
  readonly main?: string;
  readonly bin?: Readonly<Record<string, string>>;
}

/** What decides about files, in the one form that npm-packlist takes without failing. */
async function readPackage(folder: string): Promise<Package | undefined> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  let found: Readonly<Record<string, unknown>>;
  try {
    found = JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw invalidArgument(`package.json is no JSON: ${messageOf(cause)}`, { cause });
  }
  const { files, main, bin } = found;
  if (files !== undefined && !(Array.isArray(files) && files.every((file) => typeof file === 'string'))) {
    throw invalidArgument('package.json: files is no list of texts');
  }
  return {
    ...(files === undefined ? {} : { files }),
    ...(typeof main === 'string' ? { main } : {}),
    bin: Object.fromEntries(Object.entries(typeof bin === 'string' ? { bin } : (bin ?? {})).filter(([, path]) => typeof path === 'string')),
  };
}

function withFolders(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

async function unlisted(folder: string, published: ReadonlySet<string>, at = ''): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(join(folder, at), { withFileTypes: true })) {
    const path = posix.join(at, entry.name);
    if (path === 'node_modules') continue;
    if (!published.has(path)) found.push(path);
    else if (entry.isDirectory()) found.push(...(await unlisted(folder, published, path)));
  }
  return found.toSorted();
}

async function isFile(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isFile() === true;
}
