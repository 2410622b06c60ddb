import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Abortable, invalidArgument, type Manifest } from '@gantry/sdk';
import type { Descriptor } from '@gantry/sdk/transport';
import { mediaTypes } from './artifact.ts';
import { finishCodeFolder, leftOutOf } from './code-folder.ts';
import { readDockerConfig } from '../plugin-manifest/index.ts';
import { parseObject, readDocument } from './documents.ts';
import type { Staging } from './staging.ts';
import { copyTree, harden, isHardened } from './tree.ts';
import type { Trees } from './types.ts';

/** A plugin as blobs and a manifest. The same plugin gives the same bytes. */
export interface Bundle {
  readonly mediaType: string;
  readonly manifest: Buffer;
  readonly digest: string;
  readonly config: Descriptor & { readonly bytes: Buffer };
  readonly layer: Descriptor & { readonly file: string };
}

interface Making extends Abortable {
  readonly trees: Trees;
}

/** Of a folder with code, or of a Docker plugin's (config.json and rootfs/). What it needs on the way is in the staging folder. */
export async function bundleOf(dir: string, staging: Staging, making: Making): Promise<Bundle> {
  return (await isDockerFolder(dir)) ? dockerBundle(dir, staging, making) : codeBundle(dir, staging, making);
}

export async function isDockerFolder(dir: string): Promise<boolean> {
  const rootfs = await lstat(join(dir, 'rootfs')).catch(() => undefined);
  return rootfs?.isDirectory() === true && existsSync(join(dir, 'config.json'));
}

/** A copy to work with, unless the folder is as we leave them. */
export async function hardenedCopy(
  dir: string,
  staging: Staging,
  { isDocker, skip = leftOutOf(dir), signal }: { readonly isDocker: boolean; readonly skip?: (path: string) => boolean } & Abortable,
): Promise<string> {
  if (isDocker && (await isHardened(dir))) return dir;
  await copyTree(dir, staging.tree, { ...(isDocker ? {} : { skip }), signal });
  if (isDocker) await harden(staging.tree, { rootfs: 'rootfs', signal });
  else await finishCodeFolder(staging.tree, { signal });
  return staging.tree;
}

async function codeBundle(dir: string, staging: Staging, { trees, signal }: Making): Promise<Bundle> {
  const tree = await hardenedCopy(dir, staging, { isDocker: false, signal });
  const manifest = JSON.parse(await readFile(join(tree, 'gantry-plugin.json'), 'utf8')) as Manifest;
  const layer = await packLayer(tree, staging.path('layer.tar.gz'), { trees, signal });
  const described = { ...layer, mediaType: mediaTypes.ociLayer };
  return bundle({
    manifestType: mediaTypes.ociManifest,
    configType: mediaTypes.config,
    config: Buffer.from(JSON.stringify(manifest)),
    layer: described,
  });
}

async function dockerBundle(dir: string, staging: Staging, { trees, signal }: Making): Promise<Bundle> {
  const tree = await hardenedCopy(dir, staging, { isDocker: true, signal });
  const layer = await packLayer(join(tree, 'rootfs'), staging.path('layer.tar.gz'), { trees, signal });
  return dockerBundleOf((await readDocument(tree, 'config.json')) ?? Buffer.alloc(0), layer);
}

/** Of a config and a file system that was packed already. */
export function dockerBundleOf(given: Buffer, layer: Layer): Bundle {
  return bundle({
    manifestType: mediaTypes.dockerManifest,
    configType: mediaTypes.dockerConfig,
    config: withRootfs(given, layer.diffId),
    layer: { ...layer, mediaType: mediaTypes.dockerLayer },
  });
}

/** The config as it is when it names this file system already, else with its name. */
function withRootfs(bytes: Buffer, diffId: string): Buffer {
  const config = parseObject(bytes, 'config.json');
  const { diff_ids: known } = readDockerConfig(config).rootfs;
  if (known.length === 1 && known[0] === diffId) return bytes;
  const others = Object.entries(config).filter(([key]) => key.toLowerCase() !== 'rootfs');
  return Buffer.from(JSON.stringify({ ...Object.fromEntries(others), rootfs: { type: 'layers', diff_ids: [diffId] } }));
}

interface Layer {
  readonly digest: string;
  readonly size: number;
  readonly diffId: string;
  readonly file: string;
}

/** A tree as a gzip file, and what both it and the tar in it hash to. */
export async function packLayer(
  root: string,
  file: string,
  { trees, rebase, signal }: Making & { readonly rebase?: string },
): Promise<Layer> {
  const tar = new PassThrough({ highWaterMark: 4 * 1024 * 1024 });
  const plain = createHash('sha256');
  const packed = createHash('sha256');
  let size = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      packed.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  const writing = pipeline(tar, createGzip({ level: 6 }), counted, createWriteStream(file, { mode: 0o600 }));
  const packing = trees.run(
    'pack',
    { root, path: '/', ...(rebase === undefined ? {} : { rebase }) },
    {
      signal,
      output: (chunk) => {
        plain.update(chunk);
        return tar.write(Buffer.from(chunk)) ? undefined : drained(tar);
      },
    },
  );
  await Promise.all([
    writing,
    packing.then(
      () => tar.end(),
      (error: Error) => tar.destroy(error),
    ),
  ]);
  return { digest: `sha256:${packed.digest('hex')}`, size, diffId: `sha256:${plain.digest('hex')}`, file };
}

function bundle({
  manifestType,
  configType,
  config,
  layer,
}: {
  readonly manifestType: string;
  readonly configType: string;
  readonly config: Buffer;
  readonly layer: Descriptor & Layer;
}): Bundle {
  const digest = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const configDescriptor = { mediaType: configType, size: config.length, digest: digest(config) };
  const layerDescriptor = { mediaType: layer.mediaType, size: layer.size, digest: layer.digest };
  if (layer.size === 0) throw invalidArgument('a plugin without files');
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: configDescriptor, layers: [layerDescriptor] }),
  );
  return {
    mediaType: manifestType,
    manifest,
    digest: digest(manifest),
    config: { ...configDescriptor, bytes: config },
    layer: { ...layerDescriptor, file: layer.file },
  };
}

/** It takes more, or has ended and takes nothing. */
async function drained(stream: PassThrough): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.on('drain', resolve).on('close', resolve);
  await promise;
  stream.off('drain', resolve).off('close', resolve);
}
