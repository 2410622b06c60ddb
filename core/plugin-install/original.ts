import { createHash } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataLoss } from '@gantry/sdk';
import { isErrno } from '@gantry/sdk/linux';
import type { Descriptor } from '@gantry/sdk/transport';
import { readArtifact } from './artifact.ts';

/** Beside what a registry's plugin was unpacked to: the manifest and blobs that it came as. Nothing of ours, and nothing of anybody's plugin, has this name. */
export const originalFolder = '.registry';

/** As it is at a registry: packed anew it would have other bytes, and so another digest. */
export interface Original {
  readonly mediaType: string;
  readonly digest: string;
  readonly manifest: Buffer;
  readonly blobs: readonly (Descriptor & { readonly open: () => ReadStream })[];
}

/** Begins to keep what is brought into a tree; what the tree has under that name is a stranger's and goes. */
export async function keepOriginal(
  tree: string,
  manifest: { readonly mediaType: string; readonly bytes: Buffer },
  config: Buffer,
): Promise<void> {
  const folder = join(tree, originalFolder);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  const { mediaType, bytes } = manifest;
  await writeFile(join(folder, 'manifest.json'), bytes);
  await writeFile(
    join(folder, 'index.json'),
    JSON.stringify({ mediaType, digest: digestOf(bytes), size: bytes.length } satisfies Descriptor),
  );
  await writeFile(blobIn(tree, digestOf(config)), config);
}

/** Moves a verified blob's file there. */
export async function keepBlob(tree: string, { digest }: Pick<Descriptor, 'digest'>, file: string): Promise<void> {
  await rename(file, blobIn(tree, digest));
}

/** What an installed plugin was at its registry; undefined for one that came another way. Damage is `data_loss`. */
export async function originalOf(dir: string): Promise<Original | undefined> {
  const folder = join(dir, originalFolder);
  let index: Descriptor;
  try {
    index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as Descriptor;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw dataLoss(`${folder} cannot be read`, { cause: error });
  }
  const manifest = await readFile(join(folder, 'manifest.json'));
  if (digestOf(manifest) !== index.digest) throw dataLoss(`${folder}/manifest.json is not what was stored`);
  const { config, layers } = readArtifact(manifest, dir);
  const blobs = [...layers, config].map((each) => ({ ...each, open: () => createReadStream(blobIn(dir, each.digest)) }));
  for (const { digest, size } of blobs) {
    const found = await stat(blobIn(dir, digest)).catch(() => undefined);
    if (found?.size !== size) throw dataLoss(`blob ${digest} of ${folder} is not what was stored`);
  }
  return { mediaType: index.mediaType, digest: index.digest, manifest, blobs };
}

function blobIn(tree: string, digest: string): string {
  return join(tree, originalFolder, digest.replace(':', '-'));
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
