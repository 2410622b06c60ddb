import { existsSync, mkdtempSync } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, posix, resolve } from 'node:path';
import { alreadyExists, fromErrno, invalidArgument } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import { manifestIn } from '../serve/load.ts';
import type { Abortable } from '../types/index.ts';
import { layBase } from './base.ts';
import { managedConfig, places } from './config.ts';
import { copyTree, settleTree } from './copy-tree.ts';
import { inRoot } from './in-root.ts';
import { layNode } from './node.ts';
import { checkProgram, noteScripts } from './program.ts';
import { type Entry, sdkFiles, servingModule } from './sdk-files.ts';
import { developmentPackages } from './npm-packages.ts';
import { packTar } from './tar.ts';
import { unpublishedPaths } from './unpublished.ts';

export interface ManagedRequest extends Abortable {
  /** A folder with gantry-plugin.json, or package.json with "gantry". */
  readonly dir: string;
  /** Must not be there yet: a folder, or a tar when it ends with ".tar". */
  readonly out: string;
  /**
   * A root file system to begin with: a folder, or an image in a tar. It has what the plugin's program needs (an interpreter, libraries), and may bring a Node;
   * otherwise this machine's is put in a folder of its own.
   */
  readonly base?: string | undefined;
}

/**
 * Packs a plugin's folder as a managed plugin of Docker's: config.json, and rootfs with Node, the SDK and the plugin's code, for `docker plugin create`.
 * A plugin that is a program is started from there, and must find in the root what it needs.
 * The same input gives the same bytes. Refuses with `not_implemented`, saying why, a plugin that Docker cannot use, before anything is written.
 * `out` is there whole or not at all; abort leaves nothing. `notes` are for who packs.
 */
export async function packManaged({ dir, out, base, signal }: ManagedRequest): Promise<{ readonly notes: readonly string[] }> {
  if (existsSync(out)) throw alreadyExists(`${out} is there already`);
  const manifest = manifestIn(dir);
  const entry: Entry = manifest.entry.node === undefined ? 'exec' : 'node';
  const plan = (node: readonly string[]) => managedConfig(manifest, { program: posix.join(places.sdk, servingModule(entry)), node });
  plan([places.node]);
  await checkEntry(dir, manifest);
  const work = mkdtempSync(join(dirname(resolve(out)), `.${basename(out)}.`));
  try {
    const tree = join(work, 'plugin');
    const rootfs = join(tree, 'rootfs');
    await mkdir(rootfs, { recursive: true });
    if (base !== undefined) await layBase(base, rootfs, { signal });
    const { start, notes: nodeNotes } = await layNode(rootfs, { base, manifest, entry });
    await layCode(rootfs, { dir, manifest, entry, signal });
    const programNotes = entry === 'exec' ? await checkProgram(rootfs, { manifest, base }) : noteScripts(rootfs);
    const { config, notes } = plan(start);
    await writeFile(join(tree, 'config.json'), `${JSON.stringify(config, undefined, 2)}\n`);
    await settleTree(tree);
    const made = out.endsWith('.tar') ? await tarOf(tree, join(work, 'packed.tar'), { signal }) : tree;
    signal?.throwIfAborted();
    await rename(made, out);
    return { notes: [...notes, ...nodeNotes, ...programNotes] };
  } catch (error) {
    throw error instanceof Error && error.name === 'AbortError' ? error : fromErrno(error, `pack ${dir}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What the manifest wants to run must be in the folder. */
async function checkEntry(dir: string, { name, entry }: Manifest): Promise<void> {
  const { what, program } = entry.node === undefined ? { what: 'exec', program: entry.exec?.[0] } : { what: 'node', program: entry.node };
  // One of the root's is looked for when the root is there.
  if (what === 'exec' && program?.startsWith('/') === true) return;
  const path = posix.normalize(program ?? '');
  const isInside = !path.startsWith('/') && path !== '..' && !path.startsWith('../');
  const found = isInside ? await lstat(join(dir, path)).catch(() => undefined) : undefined;
  if (found?.isFile() === true) return;
  throw invalidArgument(`plugin ${name}: entry.${what} is ${JSON.stringify(program)}, and there is no such file in ${dir}`, {
    hint: 'build the plugin first, and give the path relative to its folder',
  });
}

async function layCode(
  rootfs: string,
  { dir, manifest, entry, signal }: { readonly dir: string; readonly manifest: Manifest; readonly entry: Entry } & Abortable,
): Promise<void> {
  const code = inRoot(rootfs, places.code);
  await mkdir(code, { recursive: true });
  const leftOut = new Set([...(await unpublishedPaths(dir, manifest)), ...developmentPackages(dir)]);
  // The SDK is the one that serves it.
  const skip = (path: string): boolean => leftOut.has(path) || /(^|\/)node_modules\/@gantry\/sdk$/.test(path);
  await copyTree(dir, code, { skip, ...(signal === undefined ? {} : { signal }) });
  await writeFile(join(code, 'gantry-plugin.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  for (const [path, file] of sdkFiles(entry)) {
    const to = join(inRoot(rootfs, dirname(places.sdk)), path);
    await mkdir(dirname(to), { recursive: true });
    if ('text' in file) await writeFile(to, file.text);
    else {
      await copyFile(file.from, to);
      await chmod(to, 0o644);
    }
  }
}

async function tarOf(tree: string, file: string, { signal }: Abortable): Promise<string> {
  await using output = await open(file, 'wx', 0o644);
  for await (const chunk of packTar(tree, { signal })) await output.writeFile(chunk);
  await output.sync();
  return file;
}
