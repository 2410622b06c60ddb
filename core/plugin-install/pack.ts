import { existsSync } from 'node:fs';
import { cp, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Abortable, conflict, type Manifest } from '@gantry/sdk';
import { bundleOf, hardenedCopy, isDockerFolder, packLayer } from './bundle.ts';
import { leftOutOf } from './code-folder.ts';
import { parseObject, readDocument } from './documents.ts';
import { Staging } from './staging.ts';
import { copyTree, harden, settleFile } from './tree.ts';
import type { Trees } from './types.ts';

export interface PackRequest extends Abortable {
  /** `npm`: a .tgz; `oci`: a tar of an OCI layout; `docker`: config.json and rootfs/, as a folder, or as a tar when `out` ends so. */
  readonly format: 'npm' | 'oci' | 'docker';
  /** Must not be there yet. */
  readonly out: string;
}

/** Packs a plugin's folder for others. The same content gives the same bytes. Failure and abort leave nothing. */
export async function packPlugin(dir: string, { format, out, signal }: PackRequest, { trees }: { readonly trees: Trees }): Promise<void> {
  await using staging = await Staging.open(out);
  const isDocker = await isDockerFolder(dir);
  const work = { dir, staging, trees, signal };
  const made = await { npm: packNpm, oci: packOci, docker: packDocker }[format](work, { isDocker, out });
  await staging.publish(trees, made);
}

interface Work extends Abortable {
  readonly dir: string;
  readonly staging: Staging;
  readonly trees: Trees;
}
interface Facts {
  readonly isDocker: boolean;
  readonly out: string;
}

async function packNpm({ dir, staging, trees, signal }: Work, { isDocker }: Facts): Promise<string> {
  if (isDocker) throw conflict('a Docker plugin is a file system, not an npm package', { hint: 'pack it as oci or docker' });
  const isLeftOut = leftOutOf(dir);
  const bundled = await bundlesDependencies(dir);
  const tree = await hardenedCopy(dir, staging, {
    isDocker,
    signal,
    skip: (path) => isLeftOut(path) || (path === 'node_modules' && !bundled),
  });
  if (!existsSync(join(tree, 'package.json'))) {
    const { name, version, description } = JSON.parse(await readFile(join(tree, 'gantry-plugin.json'), 'utf8')) as Manifest;
    await writeFile(join(tree, 'package.json'), `${JSON.stringify({ name, version, description, type: 'module' }, undefined, 2)}\n`);
    await harden(tree, { signal });
  }
  return (await packLayer(tree, staging.path('package.tgz'), { trees, rebase: 'package', signal })).file;
}

/** Whether its package.json says that it brings what it depends on; npm would take the named ones alone. */
async function bundlesDependencies(dir: string): Promise<boolean> {
  const bytes = await readDocument(dir, 'package.json');
  if (bytes === undefined) return false;
  const { bundleDependencies, bundledDependencies } = parseObject(bytes, 'package.json');
  const bundled = bundleDependencies ?? bundledDependencies;
  return bundled === true || (Array.isArray(bundled) && bundled.length > 0);
}

async function packOci({ dir, staging, trees, signal }: Work, _facts: Facts): Promise<string> {
  const { mediaType, manifest, digest, config, layer } = await bundleOf(dir, staging, { trees, signal });
  const layout = staging.path('layout');
  const blobs = join(layout, 'blobs', 'sha256');
  const blob = (name: string): string => join(blobs, name.slice('sha256:'.length));
  await mkdir(blobs, { recursive: true });
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    join(layout, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [{ mediaType, digest, size: manifest.length }],
    }),
  );
  await writeFile(blob(digest), manifest);
  await writeFile(blob(config.digest), config.bytes);
  await rename(layer.file, blob(layer.digest));
  await harden(layout, { signal });
  return plainTar(layout, staging, { trees, signal });
}

async function packDocker({ dir, staging, trees, signal }: Work, { isDocker, out }: Facts): Promise<string> {
  const folder = staging.path('docker');
  const tree = isDocker ? await hardenedCopy(dir, staging, { isDocker, signal }) : await managedOf(dir, staging, { signal });
  await mkdir(join(folder, 'rootfs'), { recursive: true });
  await cp(join(tree, 'config.json'), join(folder, 'config.json'));
  await copyTree(join(tree, 'rootfs'), join(folder, 'rootfs'), { signal });
  await harden(folder, { rootfs: 'rootfs', signal });
  return out.endsWith('.tar') ? plainTar(folder, staging, { trees, signal }) : folder;
}

/** A folder with code gets a root file system with this engine's Node, and what serves it by Docker's protocol. */
async function managedOf(dir: string, staging: Staging, { signal }: Abortable): Promise<string> {
  const { packManaged } = await import('@gantry/sdk/managed');
  const out = staging.path('managed');
  await packManaged({ dir: await hardenedCopy(dir, staging, { isDocker: false, signal }), out, signal });
  return out;
}

async function plainTar(root: string, staging: Staging, { trees, signal }: { readonly trees: Trees } & Abortable): Promise<string> {
  const file = staging.path('packed.tar');
  await using output = await open(file, 'wx', 0o644);
  await trees.run('pack', { root, path: '/' }, { signal, output: (chunk) => output.writeFile(chunk) });
  await settleFile(file);
  return file;
}
