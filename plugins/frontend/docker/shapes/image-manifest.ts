import type { ImageManifestSummary } from '@gantry/sdk/engine';

/** One of Manifests of an image, since 1.47. */
export function imageManifest({ isHere, descriptor, platform, contentBytes, unpackedBytes, containers }: ImageManifestSummary) {
  return {
    ID: descriptor.digest,
    Descriptor: { ...descriptor, platform },
    Available: isHere,
    Size: { Content: contentBytes, Total: contentBytes + unpackedBytes },
    Kind: 'image',
    ImageData: { Platform: platform, Containers: containers, Size: { Unpacked: unpackedBytes } },
  };
}
