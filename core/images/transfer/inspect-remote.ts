import type { RemoteImage } from '@gantry/sdk/engine';
import { describesImage, isIndexType } from '../archive/descriptor.ts';
import { parseIndex } from '../archive/oci-manifest.ts';
import { hostPlatform, type Platform } from '../platform.ts';
import { parseReference, withDefaultTag } from '../reference.ts';
import type { Parts } from '../types.ts';
import { type RegistryCall, registryCall, type TransferOptions } from './registry-call.ts';
import { lookUp, readRemote, type RemoteTag } from './remote-image.ts';

/** What a reference means at its registry, and for which platforms that is. */
export async function inspectRemote(parts: Parts, text: string, options: TransferOptions): Promise<RemoteImage> {
  const reference = withDefaultTag(parseReference(text));
  const call = await registryCall(parts, reference, options);
  const tag = await lookUp(reference, call);
  const { mediaType, digest, bytes } = tag;
  return { descriptor: { mediaType, digest, size: bytes.length }, platforms: await platformsOf(tag, call), manifests: manifestsOf(tag) };
}

function manifestsOf({ mediaType, digest: own, bytes }: RemoteTag): RemoteImage['manifests'] {
  if (!isIndexType(mediaType)) return [{ digest: own }];
  return parseIndex(bytes, `index ${own}`)
    .filter(describesImage)
    .map(({ digest, platform }) => ({ digest, ...(platform === undefined ? {} : { platform: textOf(platform) }) }));
}

function textOf({ os, architecture, variant }: Partial<Platform>): string {
  return [os, architecture, variant].filter((part) => part !== undefined && part !== '').join('/');
}

async function platformsOf(tag: RemoteTag, call: RegistryCall): Promise<readonly Platform[]> {
  if (isIndexType(tag.mediaType)) {
    return parseIndex(tag.bytes, `index ${tag.digest}`)
      .filter(describesImage)
      .flatMap(({ platform }) =>
        platform === undefined ? [] : [{ ...platform, os: platform.os ?? '', architecture: platform.architecture ?? '' }],
      );
  }
  const { config } = await readRemote(tag, { platform: hostPlatform(), isExplicit: false }, call);
  return [{ os: config.os, architecture: config.architecture ?? '' }];
}
