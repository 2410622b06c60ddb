import { bestFit, noneFor, readPlatform } from './platform.ts';
import { canonicalText } from './reference.ts';
import type { ImageStore, Resolved } from './store.ts';

/**
 * What a user calls an image, and means for a platform ("linux/arm64"): of the images that a name has, the one for it. Without a platform the
 * preferred one. `not_found` when what is here is for others.
 */
export function resolveFor(store: ImageStore, given: string, platform: string | undefined): Resolved {
  const resolved = store.resolve(given);
  if (platform === undefined || platform === '') return resolved;
  const images = resolved.reference === undefined ? [resolved.row.id] : store.imagesOf(canonicalText(resolved.reference));
  return { ...resolved, row: store.get(imageFor(store, { images, given, platform })) };
}

/** Of these images the one for a platform. */
export function imageFor(
  store: ImageStore,
  { images, given, platform }: { readonly images: readonly string[]; readonly given: string; readonly platform: string },
): string {
  const wanted = readPlatform(platform);
  const configs = images.map((id) => ({ id, config: store.configOrEmpty(id) }));
  const found = bestFit(configs, ({ config }) => config, wanted);
  if (found === undefined) {
    throw noneFor(
      given,
      configs.map(({ config }) => config),
      wanted,
    );
  }
  return found.id;
}
