import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { Descriptor } from '@gantry/sdk/transport';
import { familiarText, parseTag } from '../references/index.ts';
import { bundleOf } from './bundle.ts';
import { originalOf } from './original.ts';
import { type RegistryCall, registryCall, shortDigest } from './registry-plugin.ts';
import { Staging } from './staging.ts';
import type { FetchOptions, InstallTools } from './types.ts';

/**
 * Sends an installed plugin, or a folder that could be one, to a registry under a tag: one that came from a registry as it came, under the same
 * digest; else a Docker plugin as Docker's, others as an OCI artifact of ours. What is there already is not sent again. `scratch`: a path at which a
 * folder may be made; nothing stays there.
 */
export async function pushPlugin(
  dir: string,
  { reference, scratch }: { readonly reference: string; readonly scratch: string },
  tools: InstallTools,
  options: FetchOptions = {},
): Promise<{ readonly reference: string; readonly digest: string; readonly size: number }> {
  const named = parseTag(reference);
  const call = await registryCall(named, tools, options);
  await using staging = await Staging.open(scratch);
  const { blobs, manifest, mediaType, digest } = (await originalOf(dir)) ?? (await made(dir, staging, tools, options));
  for (const blob of blobs) await send(blob, blob.open, call);
  await call.driver.putManifest({ ...call.place, reference: named.tag ?? 'latest', mediaType, bytes: manifest }, call.context);
  return { reference: familiarText(named), digest, size: manifest.length };
}

async function made(dir: string, staging: Staging, { trees }: InstallTools, { signal }: FetchOptions) {
  const { config, layer, ...rest } = await bundleOf(dir, staging, { trees, signal });
  const blobs = [
    { ...layer, open: () => createReadStream(layer.file) },
    { ...config, open: () => Readable.from([config.bytes]) },
  ];
  return { ...rest, blobs };
}

async function send(
  { digest, size }: Descriptor,
  content: () => Readable,
  { driver, place, context, onProgress }: RegistryCall,
): Promise<void> {
  const id = shortDigest({ digest });
  if (await driver.exists({ ...place, digest }, context)) return onProgress({ id, status: 'Layer already exists' });
  onProgress({ id, status: 'Pushing', current: 0, total: size });
  await driver.upload({ ...place, digest, size, content: () => content() as AsyncIterable<Buffer> }, context);
  onProgress({ id, status: 'Pushed' });
}
