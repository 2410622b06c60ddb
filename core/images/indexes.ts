import { digestOf } from '../content/index.ts';
import type { ImageManifest } from '../metadata/index.ts';
import { parseIndex } from './archive/oci-manifest.ts';
import { parseImageConfig } from './config/image-config.ts';
import { fits, hostPlatform, type Platform } from './platform.ts';
import type { NewImage } from './publish.ts';
import { canonicalText } from './reference.ts';
import type { ImageStore } from './store.ts';

interface IndexImages {
  /** Those that are here, the preferred one first. */
  readonly images: readonly string[];
  readonly document: ImageManifest;
}

/** By digest: what is here of each index when these images are, too. The machine's own platform is preferred, else what came last. */
export function indexesOf(store: ImageStore, images: readonly NewImage[]): ReadonlyMap<string, IndexImages> {
  const indexes = new Map<string, IndexImages>();
  for (const { index, ...image } of images) {
    if (index === undefined) continue;
    const known = indexes.get(index.digest)?.images ?? imagesBefore(store, { ...image, index });
    const id = digestOf(image.configBytes);
    const [first] = known;
    const stays = first !== undefined && isForHost(first) ? [first] : [];
    indexes.set(index.digest, { document: index, images: [...new Set([...stays, id, ...known])] });
  }
  return indexes;

  function isForHost(id: string): boolean {
    const fresh = images.find(({ configBytes }) => digestOf(configBytes) === id);
    const config: Partial<Platform> = fresh === undefined ? store.configOrEmpty(id) : parseImageConfig(fresh.configBytes, `config ${id}`);
    return fits(config, hostPlatform());
  }
}

/**
 * What is here of an index, and what its names meant until now if that is of the index: it came with an archive of one platform, or under another
 * index that has the same image, or before indexes were kept, when their digests named the one image that came.
 */
function imagesBefore(store: ImageStore, { index, references }: NewImage & { readonly index: ImageManifest }): readonly string[] {
  const known = store.imagesIn(index.digest);
  if (known.length > 0) return known;
  const listed = new Set(parseIndex(index.bytes, `index ${index.digest}`).map(({ digest }) => digest));
  const isListed = (id: string): boolean => store.manifestsOf(id).some(({ digest }) => listed.has(digest));
  return references.flatMap((reference) => {
    const images = store.imagesOf(canonicalText(reference));
    return reference.digest === index.digest ? images : images.filter(isListed);
  });
}
