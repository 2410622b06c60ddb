import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { checkManifest, type Ctx, dataLoss, GantryError, invalidArgument, type Manifest } from '@gantry/sdk';
import type { Descriptor, Place, TransportDriver } from '@gantry/sdk/transport';
import { driverContext } from '../drivers/index.ts';
import { familiarName, familiarText, type Reference, repositoryOf } from '../references/index.ts';
import { type Artifact, chooseManifest, readArtifact } from './artifact.ts';
import { fromDockerConfig, readDockerConfig } from '../plugin-manifest/index.ts';
import { checkEntry } from './code-folder.ts';
import { manifestName, parseObject, readDocument, writeManifest } from './documents.ts';
import { keepBlob, keepOriginal } from './original.ts';
import type { Staging } from './staging.ts';
import { harden } from './tree.ts';
import type { FetchedPlugin, FetchOptions, InstallTools } from './types.ts';
import { unpackTar } from './unpack.ts';

const maxConfigBytes = 4 * 1024 * 1024;
const attempts = 5;

/** A plugin at a registry, of which the two small documents were read. */
export interface RemotePlugin extends Omit<FetchedPlugin, 'dir'> {
  readonly artifact: Artifact;
  readonly configBytes: Buffer;
  readonly original: { readonly mediaType: string; readonly bytes: Buffer };
}

export interface RegistryCall {
  readonly driver: TransportDriver;
  readonly place: Place;
  readonly context: Ctx;
  readonly onProgress: NonNullable<FetchOptions['onProgress']>;
}

/** The driver, and where it is to go. */
export async function registryCall(
  { domain, path }: Reference,
  { drivers, log }: InstallTools,
  { auth, signal, onProgress }: FetchOptions,
): Promise<RegistryCall> {
  const driver = await drivers.get('transport', await drivers.preferred('transport'));
  return {
    driver,
    place: { host: domain, repository: path, resource: 'plugin', auth },
    context: driverContext(log, signal),
    onProgress: onProgress ?? (() => undefined),
  };
}

/** Reads a plugin's manifest and config from a registry, and nothing else. */
export async function lookAtRegistry(reference: Reference, call: RegistryCall, { name }: FetchOptions): Promise<RemotePlugin> {
  const { driver, place, context } = call;
  const about = familiarText(reference);
  const first = await driver.resolve({ ...place, reference: reference.digest ?? reference.tag ?? 'latest' }, context);
  const chosen = chooseManifest(first.descriptor, first.bytes, about);
  const { descriptor, bytes } = chosen === undefined ? first : await driver.resolve({ ...place, reference: chosen }, context);
  const artifact = readArtifact(bytes, about);
  if (artifact.config.size > maxConfigBytes)
    throw invalidArgument(`${about}: config of ${artifact.config.size} bytes, at most ${maxConfigBytes}`);
  const configBytes = await smallBlob(artifact.config, call);
  const config = parseObject(configBytes, `${about}: config`);
  const isDocker = artifact.kind === 'docker';
  const called =
    name ??
    (reference.tag === undefined
      ? familiarName(reference)
      : familiarText({ domain: reference.domain, path: reference.path, tag: reference.tag }));
  return {
    artifact,
    configBytes,
    original: { mediaType: descriptor.mediaType, bytes },
    digest: descriptor.digest,
    source: `oci:${repositoryOf(reference)}${reference.tag === undefined ? '' : `:${reference.tag}`}@${descriptor.digest}`,
    manifest: isDocker ? fromDockerConfig(config, called) : checkManifest(config),
    ...(isDocker ? { dockerConfig: config } : {}),
  };
}

/** Brings the layers and makes the tree out of them, read-only; what came is kept with it, for who pushes it. */
export async function bringFromRegistry(
  remote: RemotePlugin,
  staging: Staging,
  call: RegistryCall,
  { trees }: InstallTools,
): Promise<void> {
  const { artifact, manifest, dockerConfig } = remote;
  const { signal } = call.context;
  const isDocker = artifact.kind === 'docker';
  const diffIds = isDocker ? readDockerConfig(dockerConfig).rootfs.diff_ids : undefined;
  if (diffIds !== undefined && diffIds.length !== artifact.layers.length) {
    throw invalidArgument(`plugin ${manifest.name}: ${artifact.layers.length} layers and ${diffIds.length} diff ids`);
  }
  const root = isDocker ? join(staging.tree, 'rootfs') : staging.tree;
  if (isDocker) await mkdir(root);
  const files: (readonly [Descriptor, string])[] = [];
  for (const [at, layer] of artifact.layers.entries()) {
    const file = staging.path(`layer-${at}`);
    await downloadBlob(layer, file, call);
    const diffId = await unpackTar(createReadStream(file), root, { trees, whiteouts: isDocker ? 'plain' : 'none', signal });
    // `docker plugin create` writes the digest of the compressed layer there (seen with 20.10), and that one is verified already.
    if (diffIds !== undefined && diffIds[at] !== diffId && diffIds[at] !== layer.digest)
      throw dataLoss(`layer ${layer.digest} has diff id ${diffId}, expected ${diffIds[at]}`);
    files.push([layer, file]);
    call.onProgress({ id: shortDigest(layer), status: 'Pull complete' });
  }
  if (isDocker) await writeFile(join(staging.tree, 'config.json'), remote.configBytes);
  else await checkCode(staging.tree, manifest);
  if (!existsSync(join(staging.tree, manifestName))) await writeManifest(staging.tree, manifest);
  // Last: no layer may write there.
  await keepOriginal(staging.tree, remote.original, remote.configBytes);
  for (const [layer, file] of files) await keepBlob(staging.tree, layer, file);
  await harden(staging.tree, { ...(isDocker ? { rootfs: 'rootfs' } : {}), signal });
}

/** What was shown to the user is what is started: a manifest among the files says the same or is not there. */
async function checkCode(tree: string, manifest: Manifest): Promise<void> {
  const bytes = await readDocument(tree, manifestName);
  if (bytes !== undefined && !isDeepStrictEqual(parseObject(bytes, manifestName), manifest)) {
    throw invalidArgument(`plugin ${manifest.name}: its config and ${manifestName} among its files differ`);
  }
  await checkEntry(tree, manifest);
}

/** Into a file, whole and verified; a connection that breaks is taken up where it broke. */
async function downloadBlob(descriptor: Descriptor, file: string, { driver, place, context, onProgress }: RegistryCall): Promise<void> {
  await using output = await open(file, 'wx', 0o600);
  const hash = createHash('sha256');
  let offset = 0;
  for (let attempt = 1; offset < descriptor.size || attempt === 1; attempt += 1) {
    try {
      for await (const chunk of driver.fetch({ ...place, descriptor, offset }, context)) {
        await output.writeFile(chunk);
        hash.update(chunk);
        offset += chunk.length;
        onProgress({ id: shortDigest(descriptor), status: 'Downloading', current: offset, total: descriptor.size });
      }
      break;
    } catch (error) {
      const isBroken = GantryError.is(error) && error.reason === 'BLOB_INTERRUPTED';
      if (!isBroken || attempt >= attempts) throw error;
    }
  }
  const digest = `sha256:${hash.digest('hex')}`;
  if (offset !== descriptor.size || digest !== descriptor.digest)
    throw dataLoss(`blob ${descriptor.digest} came as ${digest}, ${offset} bytes`);
}

async function smallBlob(descriptor: Descriptor, { driver, place, context }: RegistryCall): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of driver.fetch({ ...place, descriptor, offset: 0 }, context)) parts.push(Buffer.from(chunk));
  const bytes = Buffer.concat(parts);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (digest !== descriptor.digest) throw dataLoss(`blob ${descriptor.digest} came as ${digest}`);
  return bytes;
}

export function shortDigest({ digest }: Pick<Descriptor, 'digest'>): string {
  return digest.slice('sha256:'.length).slice(0, 12);
}
