import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fromErrno, invalidArgument, messageOf, notFound } from '../errors.ts';
import type { Abortable } from '../types/index.ts';
import { copyTree } from './copy-tree.ts';
import { unpackTar } from './tar.ts';

/** Fills an empty folder with a root file system: a folder's, or that of an image in a tar (`docker save`, OCI layout) or a plain one (`docker export`). */
export async function layBase(base: string, rootfs: string, { signal }: Abortable = {}): Promise<void> {
  const found = lstat(base);
  if (found === undefined)
    throw notFound(`base ${base} is not there`, { hint: 'an image of an engine becomes one by docker save IMAGE -o base.tar' });
  if (found.isDirectory()) return copyTree(base, rootfs, signal === undefined ? {} : { signal });
  const work = mkdtempSync(join(dirname(rootfs), '.base-'));
  try {
    const tree = emptied(join(work, 'image'));
    await unpackTar(base, tree, { signal });
    const layers = layersIn(tree, base);
    for (const layer of layers ?? []) {
      const unpacked = emptied(join(work, 'layer'));
      await unpackTar(join(tree, layer), unpacked, { signal });
      lay(unpacked, rootfs);
    }
    if (layers === undefined) lay(tree, rootfs);
  } catch (error) {
    throw fromErrno(error, `use base ${base}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function emptied(folder: string): string {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  return folder;
}

/** The layers' files, the lowest first; undefined when it is no image. */
function layersIn(tree: string, base: string): readonly string[] | undefined {
  const names = (list: unknown): readonly string[] | undefined => {
    if (!Array.isArray(list)) return undefined;
    return list.map((name: unknown) => {
      const isInside = typeof name === 'string' && !name.startsWith('/') && !name.split('/').includes('..');
      if (!isInside || lstat(join(tree, name))?.isFile() !== true)
        throw invalidArgument(`${base} names a layer that it has not: ${JSON.stringify(name)}`);
      return name;
    });
  };
  if (lstat(join(tree, 'manifest.json'))?.isFile() === true) {
    const images = parsed(join(tree, 'manifest.json'), base);
    if (Array.isArray(images) && images.length > 1) throw invalidArgument(`${base} holds ${images.length} images; one is wanted`);
    return names(Array.isArray(images) ? Reflect.get(Object(images[0]) as object, 'Layers') : undefined);
  }
  if (lstat(join(tree, 'index.json'))?.isFile() !== true || !existsSync(join(tree, 'oci-layout'))) return undefined;
  let document = parsed(join(tree, 'index.json'), base);
  for (let depth = 0; depth < 3; depth += 1) {
    const { manifests, layers } = Object(document) as { readonly manifests?: unknown; readonly layers?: unknown };
    if (Array.isArray(layers)) return names(layers.map(blobOf));
    if (!Array.isArray(manifests)) break;
    if (manifests.length > 1) throw invalidArgument(`${base} holds ${manifests.length} images; one is wanted`);
    const [blob = ''] = names(manifests.map(blobOf)) ?? [];
    document = parsed(join(tree, blob), base);
  }
  throw invalidArgument(`${base} is an OCI layout without layers`);
}

function blobOf(descriptor: unknown): unknown {
  const digest: unknown = Reflect.get(Object(descriptor) as object, 'digest');
  return typeof digest === 'string' ? `blobs/${digest.replace(':', '/')}` : digest;
}

function parsed(path: string, base: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw invalidArgument(`${base}: ${path.slice(path.lastIndexOf('/') + 1)} is no JSON: ${messageOf(error)}`);
  }
}

/** Moves a layer over what is there, entry by entry, following no link; `.wh.` files take away what is below (OCI image spec, layers). */
function lay(layer: string, root: string): void {
  const names = readdirSync(layer);
  if (names.includes('.wh..wh..opq')) for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true, force: true });
  for (const name of names.filter((each) => each.startsWith('.wh.') && each !== '.wh..wh..opq' && each.length > 4))
    rmSync(join(root, name.slice(4)), { recursive: true, force: true });
  for (const name of names.filter((each) => !each.startsWith('.wh.'))) {
    const [from, to] = [join(layer, name), join(root, name)];
    const isFolder = lstatSync(from).isDirectory();
    const there = lstat(to);
    if (there !== undefined && !(isFolder && there.isDirectory())) rmSync(to, { recursive: true, force: true });
    if (isFolder && lstat(to) !== undefined) lay(from, to);
    else renameSync(from, to);
    if (isFolder) clearMarks(to);
  }
}

/** A folder that was moved as a whole took its marks along; there is nothing below it that they could take away. */
function clearMarks(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.wh.')) rmSync(join(folder, entry.name), { recursive: true, force: true });
    else if (entry.isDirectory()) clearMarks(join(folder, entry.name));
  }
}

function lstat(path: string) {
  return lstatSync(path, { throwIfNoEntry: false });
}
