import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Abortable } from '@gantry/sdk';
import { dockerBundleOf, isDockerFolder, packLayer } from './bundle.ts';
import { finishCodeFolder } from './code-folder.ts';
import { fromDockerConfig } from '../plugin-manifest/index.ts';
import { parseObject, readDocument, writeManifest } from './documents.ts';
import { Staging } from './staging.ts';
import { harden } from './tree.ts';
import type { FetchedPlugin, InstallTools } from './types.ts';
import { unpackTar } from './unpack.ts';

/**
 * A plugin out of a tar of Docker's layout (config.json, rootfs/: `docker plugin create`) or of ours, called `name`. Whole in `target` or not
 * at all. A Docker plugin's digest is that of the manifest which a push would make.
 */
export async function createFromArchive(
  name: string,
  tar: AsyncIterable<Buffer>,
  target: string,
  { trees }: Pick<InstallTools, 'trees'>,
  { signal }: Abortable = {},
): Promise<FetchedPlugin> {
  await using staging = await Staging.open(target);
  await unpackTar(tar, staging.tree, { trees, whiteouts: 'none', signal });
  const isDocker = await isDockerFolder(staging.tree);
  const made = isDocker ? await finishDocker(name, staging, { trees, signal }) : await finishCodeFolder(staging.tree, { signal });
  return { dir: await staging.publish(trees), source: `archive:${name}`, ...made };
}

async function finishDocker(
  name: string,
  staging: Staging,
  { trees, signal }: Pick<InstallTools, 'trees'> & Abortable,
): Promise<Pick<FetchedPlugin, 'manifest' | 'digest' | 'dockerConfig'>> {
  await keepOnly(staging, ['config.json', 'rootfs']);
  const given = (await readDocument(staging.tree, 'config.json')) ?? Buffer.alloc(0);
  const manifest = fromDockerConfig(parseObject(given, 'config.json'), name);
  await harden(join(staging.tree, 'rootfs'), { rootfs: '', signal });
  const layer = await packLayer(join(staging.tree, 'rootfs'), staging.path('created.tar.gz'), { trees, signal });
  const { config, digest } = dockerBundleOf(given, layer);
  await writeFile(join(staging.tree, 'config.json'), config.bytes);
  await writeManifest(staging.tree, manifest);
  await harden(staging.tree, { rootfs: 'rootfs', signal });
  return { manifest, digest, dockerConfig: parseObject(config.bytes, 'config.json') };
}

/** Docker takes these two and nothing else from the archive. */
async function keepOnly(staging: Staging, names: readonly string[]): Promise<void> {
  const dropped = staging.path('dropped');
  await mkdir(dropped);
  for (const name of await readdir(staging.tree)) if (!names.includes(name)) await rename(join(staging.tree, name), join(dropped, name));
}
