import type { Image, Images } from '@gantry/sdk/engine';
import { checkFilters, createdMs, danglingOf, imageFilter, referenceFilter } from './filters.ts';
import type { Parts } from './types.ts';
import { viewImage } from './view.ts';

type Listed = Awaited<ReturnType<Images['list']>>[number];

/**
 * Docker's list, newest first: without names an image is shown when nothing was built on it, or with `all`; a filter for names shows the
 * names that it means. What is for several platforms is shown once, as the image that is preferred. Users are counted, and shared sizes summed, when `sharedSize` asks for it; else -1.
 */
export function listImages(parts: Parts, request: Parameters<Images['list']>[0]): readonly Listed[] {
  const { filters = {}, all = false, sharedSize = false } = request;
  checkFilters(filters, 'list');
  const dangling = danglingOf(filters);
  const matches = imageFilter(filters, (image) => createdMs(viewImage(parts, parts.store.resolve(image).row)));
  const means = referenceFilter(filters);
  const namesAreAsked = (filters['reference'] ?? []).length > 0;
  const parents = new Set(parts.store.all().map(({ parent }) => parent));
  const found = parts.store.all().flatMap((row): readonly Image[] => {
    const references = parts.store.ledBy(row.id).filter(means);
    const isNameless = parts.store.referencesOf(row.id).length === 0;
    if (references.length === 0 && (namesAreAsked || !isNameless)) return [];
    if (isNameless ? dangling === false || (!all && parents.has(row.id)) : dangling === true) return [];
    const image = viewImage(parts, row, references);
    return matches(image) ? [image] : [];
  });
  return found.toSorted(newestFirst).map(sharedSize ? measured(parts) : unmeasured);
}

function newestFirst(left: Image, right: Image): number {
  const [earlier, later] = [createdMs(left), createdMs(right)];
  if (earlier !== later) return later > earlier ? 1 : -1;
  return left.id < right.id ? -1 : 1;
}

function unmeasured(image: Image): Listed {
  return { ...image, sharedSizeBytes: -1, containers: -1 };
}

function measured(parts: Parts): (image: Image) => Listed {
  const users = parts.users();
  const counts = new Map<string, number>();
  for (const { id } of parts.store.all()) {
    for (const chainId of viewImage(parts, parts.store.get(id)).chainIds) counts.set(chainId, (counts.get(chainId) ?? 0) + 1);
  }
  return (image) => {
    const shared = image.chainIds.filter((chainId) => (counts.get(chainId) ?? 0) > 1);
    const sharedSizeBytes = shared.reduce((sum, chainId) => sum + (parts.layers.images.get(chainId)?.sizeBytes ?? 0), 0);
    const platforms = parts.store.siblingsOf(image.id);
    return { ...image, sharedSizeBytes, containers: platforms.reduce((sum, id) => sum + users.usersOf(id).length, 0) };
  };
}
