import { realpath, rm, stat } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { type Abortable, invalidArgument, type Manifest, notFound } from '@gantry/sdk';
import { developmentPackages } from '@gantry/sdk/managed/npm-packages';
import { manifestName, readManifest, writeManifest } from './documents.ts';
import { originalFolder } from './original.ts';
import { copyTree, harden, treeDigest } from './tree.ts';
import { failure } from './failure.ts';

/**
 * What is in the folder and not part of the plugin: history, what it was at a registry, what npm installed for its authors alone, and the SDK, which is
 * always the engine's own.
 */
export function leftOutOf(folder: string): (path: string) => boolean {
  const development = developmentPackages(folder);
  return (path) => path === '.git' || path === originalFolder || development.has(path) || /(^|\/)node_modules\/@gantry\/sdk$/.test(path);
}

/** What a folder with code is, without copying it. */
export async function inspectCodeFolder(
  path: string,
  options: Abortable = {},
): Promise<{ readonly manifest: Manifest; readonly digest: string }> {
  await checkFolder(path);
  const manifest = await readManifest(path);
  await checkEntry(path, manifest);
  return { manifest, digest: await treeDigest(path, { skip: leftOutOf(path), ...options }) };
}

/** Copies a folder with code into an empty one and makes it read-only. */
export async function copyCodeFolder(
  path: string,
  tree: string,
  options: Abortable = {},
): Promise<{ readonly manifest: Manifest; readonly digest: string }> {
  await checkFolder(path);
  try {
    await copyTree(path, tree, { skip: leftOutOf(path), ...options });
  } catch (error) {
    throw failure(error, `copy ${path}`);
  }
  return finishCodeFolder(tree, options);
}

/** Reads and checks what was put into a folder, gives it its manifest file, and makes it read-only. */
export async function finishCodeFolder(
  tree: string,
  options: Abortable = {},
): Promise<{ readonly manifest: Manifest; readonly digest: string }> {
  await rm(join(tree, originalFolder), { recursive: true, force: true });
  const manifest = await readManifest(tree);
  await checkEntry(tree, manifest);
  const digest = await treeDigest(tree, options);
  if (!existsSync(join(tree, manifestName))) await writeManifest(tree, manifest);
  await harden(tree, options);
  return { manifest, digest };
}

async function checkFolder(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw notFound(`plugin folder ${path} is not there`, { cause });
  });
  if (!found.isDirectory()) throw invalidArgument(`plugin source ${path} is no folder`, { hint: 'a tarball ends with .tgz' });
}

/** What the manifest wants to start must be in the folder. */
export async function checkEntry(folder: string, { name, entry }: Manifest): Promise<void> {
  const [program] = entry.exec ?? [];
  if (entry.node === undefined && program === undefined) throw invalidArgument(`plugin ${name}: manifest.entry has neither node nor exec`);
  if (entry.node !== undefined) await checkFile(folder, entry.node, `plugin ${name}: entry.node`);
  if (program?.includes('/') === true && !program.startsWith('/')) await checkFile(folder, program, `plugin ${name}: entry.exec`);
}

async function checkFile(folder: string, path: string, what: string): Promise<void> {
  const clean = posix.normalize(path);
  if (path.includes('\0') || clean.startsWith('/') || clean === '..' || clean.startsWith('../')) {
    throw invalidArgument(`${what} is ${JSON.stringify(path)}, which is not in the plugin`);
  }
  const found = await realpath(join(folder, clean)).catch(() => undefined);
  const root = await realpath(folder);
  if (found === undefined || !found.startsWith(`${root}/`) || !(await stat(found)).isFile()) {
    throw invalidArgument(`${what} is ${JSON.stringify(path)}, and there is no such file in the plugin`, {
      hint: 'build the plugin first, and give the path relative to its folder',
    });
  }
}
