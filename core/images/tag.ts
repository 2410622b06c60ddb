import { announce } from './announce.ts';
import { imageIndex, manifestAsStored, storedManifest } from './archive/manifest.ts';
import { fits, hostPlatform } from './platform.ts';
import { canonicalText, familiarText, parseTag } from './reference.ts';
import type { Parts } from './types.ts';
import { chainOf } from './view.ts';

/** Gives what a name means, all platforms of it, one more name; what had that loses it. An id means one image. */
export function tagImage(parts: Parts, image: string, reference: string): void {
  const { row, reference: name } = parts.store.resolve(image);
  const tag = parseTag(reference);
  parts.store.change({
    add: [{ ...row, lastTagged: new Date().toISOString() }],
    name: new Map([[canonicalText(tag), (name && parts.store.targetOf(canonicalText(name))) ?? { image: row.id }]]),
  });
  announce(parts, 'tag', row.id, familiarText(tag));
}

/** One name for images for several platforms: it means an index of them. Of one it means that. */
export function tagImages(parts: Parts, images: readonly string[], reference: string): void {
  const { store, content } = parts;
  const rows = [...new Set(images.map((image) => store.resolve(image).row))];
  const [only, another] = rows;
  if (only !== undefined && another === undefined) return tagImage(parts, only.id, reference);
  const tag = parseTag(reference);
  const described = rows.map((row) => {
    const layers = chainOf(parts, row).toReversed();
    const manifest = storedManifest(store.manifestsOf(row.id), layers) ?? manifestAsStored(content, { id: row.id, layers });
    return { row, manifest, platform: store.config(row.id) };
  });
  const document = imageIndex(described);
  const preferred = described.toSorted((left, right) => Number(isForHost(right.platform)) - Number(isForHost(left.platform)));
  const lastTagged = new Date().toISOString();
  store.change({
    add: rows.map((row) => ({ ...row, lastTagged })),
    name: new Map([[canonicalText(tag), { index: document.digest }]]),
    indexes: new Map([[document.digest, { images: preferred.map(({ row }) => row.id), document }]]),
  });
  announce(parts, 'tag', preferred[0]?.row.id ?? '', familiarText(tag));
}

function isForHost(platform: Parameters<typeof fits>[0]): boolean {
  return fits(platform, hostPlatform());
}
