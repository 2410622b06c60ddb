import { mkdir } from 'node:fs/promises';
import { invalidArgument } from '@gantry/sdk';
import type { PluginOffer } from '@gantry/sdk/engine';
import { copyCodeFolder, inspectCodeFolder } from './code-folder.ts';
import { completePackage, downloadPackage, unpackPackage, type Unpacked } from './npm-package.ts';
import { privilegesOf } from '../plugin-manifest/index.ts';
import { bringFromRegistry, lookAtRegistry, registryCall } from './registry-plugin.ts';
import type { PluginSource } from './source.ts';
import { Staging } from './staging.ts';
import type { FetchedPlugin, FetchOptions, InstallTools } from './types.ts';

/**
 * What a source holds, without more of it than is needed to tell: a folder is read where it is, of npm only the package's own tarball comes,
 * of a registry only two small documents. `scratch` is a path at which a folder may be made; nothing stays there.
 */
export async function offerOf(
  source: PluginSource,
  scratch: string,
  tools: InstallTools,
  options: FetchOptions = {},
): Promise<PluginOffer> {
  const found = await look(source, scratch, tools, options);
  return { ...found, privileges: privilegesOf(found.manifest) };
}

/**
 * Brings a plugin into `target`, which must not be there yet: whole, durable and read-only when this resolves, else not at all. Nothing of it
 * is run. Abort and failure leave nothing.
 */
export async function fetchPlugin(
  source: PluginSource,
  target: string,
  tools: InstallTools,
  options: FetchOptions = {},
): Promise<FetchedPlugin> {
  await using staging = await Staging.open(target);
  const fetched = await bring(source, staging, tools, options);
  options.signal?.throwIfAborted();
  return { dir: await staging.publish(tools.trees), ...fetched };
}

type Found = Omit<PluginOffer, 'privileges'>;

async function look(source: PluginSource, scratch: string, tools: InstallTools, options: FetchOptions): Promise<Found> {
  if (source.kind === 'folder') return { source: `folder:${source.path}`, ...(await inspectCodeFolder(source.path, options)) };
  if (source.kind === 'registry') {
    const {
      digest,
      manifest,
      source: from,
    } = await lookAtRegistry(source.reference, await registryCall(source.reference, tools, options), options);
    return { source: from, digest, manifest };
  }
  await using staging = await Staging.open(scratch);
  const unpacked = await unpackSource(source, staging, tools, options);
  return { source: sourceText(source, unpacked), digest: unpacked.digest, manifest: unpacked.manifest };
}

async function bring(
  source: PluginSource,
  staging: Staging,
  tools: InstallTools,
  options: FetchOptions,
): Promise<Omit<FetchedPlugin, 'dir'>> {
  if (source.kind === 'folder') return { source: `folder:${source.path}`, ...(await copyCodeFolder(source.path, staging.tree, options)) };
  if (source.kind === 'registry') {
    const call = await registryCall(source.reference, tools, options);
    const remote = await lookAtRegistry(source.reference, call, options);
    await bringFromRegistry(remote, staging, call, tools);
    const { artifact: _artifact, configBytes: _configBytes, original: _original, ...fetched } = remote;
    return fetched;
  }
  const unpacked = await unpackSource(source, staging, tools, options);
  const onInstall = (): void => options.onProgress?.({ id: unpacked.name, status: 'Installing dependencies' });
  const manifest = await completePackage({ tree: staging.tree, scratch: staging.path('npm'), tools, signal: options.signal, onInstall });
  return { source: sourceText(source, unpacked), digest: unpacked.digest, manifest };
}

type PackageSource = Extract<PluginSource, { readonly kind: 'npm' | 'tarball' }>;

async function unpackSource(
  source: PackageSource,
  staging: Staging,
  tools: InstallTools,
  { signal, onProgress }: FetchOptions,
): Promise<Unpacked> {
  const work = { tree: staging.tree, scratch: staging.path('npm'), tools, signal };
  await mkdir(work.scratch);
  if (source.kind === 'npm') onProgress?.({ id: source.name, status: 'Pulling' });
  const file = source.kind === 'npm' ? await downloadPackage(source, work) : source.path;
  const unpacked = await unpackPackage(file, work);
  if (source.kind === 'npm' && unpacked.name !== source.name) {
    throw invalidArgument(`npm answered package ${unpacked.name} for ${source.name}`);
  }
  return unpacked;
}

function sourceText(source: PackageSource, { name, version }: Unpacked): string {
  return source.kind === 'npm' ? `npm:${name}@${version}` : source.path;
}
