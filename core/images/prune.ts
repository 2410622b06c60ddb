import { GantryError } from '@gantry/sdk';
import type { Images } from '@gantry/sdk/engine';
import type { ImageRow } from '../metadata/index.ts';
import { checkFilters, danglingOf, imageFilter } from './filters.ts';
import { parseReference } from './reference.ts';
import { Removal } from './removal.ts';
import { carryOut } from './remove.ts';
import type { Parts } from './types.ts';
import { viewImage } from './view.ts';

/** Removes images that no container uses and nothing was built on: those without a tag, or with `dangling=false` all of them. */
export async function pruneImages(parts: Parts, { filters = {} }: Parameters<Images['prune']>[0]): ReturnType<Images['prune']> {
  checkFilters(filters, 'prune');
  const onlyDangling = danglingOf(filters) ?? true;
  const matches = imageFilter(filters, () => Number.NaN);
  using _names = await parts.locks.acquire('names');
  const removals: Removal[] = [];
  for (const row of parts.store.all()) {
    const isGone = removals.some(({ removed }) => removed.has(row.id));
    if (!isGone && isUnused(parts, row, onlyDangling) && matches(viewImage(parts, row))) removals.push(...planWhole(parts, row));
  }
  const { layers, spaceReclaimed } = await carryOut(parts, removals);
  parts.events.publish('image', 'prune', '', { reclaimed: String(spaceReclaimed) });
  return { deleted: [...removals.flatMap(({ records }) => records), ...layers.map((deleted) => ({ deleted }))], spaceReclaimed };
}

/** Its other platforms are not used, either. */
function isUnused({ store, users }: Parts, { id }: ImageRow, onlyDangling: boolean): boolean {
  const isNeeded = (each: string): boolean => store.childrenOf(each).length > 0 || users().usersOf(each).length > 0;
  if (store.siblingsOf(id).some(isNeeded)) return false;
  return !onlyDangling || store.referencesOf(id).every((text) => text.includes('@'));
}

/** Nothing when the image must stay after all: that concerns no other. */
function planWhole(parts: Parts, row: ImageRow): readonly Removal[] {
  const removal = new Removal(parts, { force: false, prune: true });
  try {
    const names = parts.store.referencesOf(row.id).map((text) => parseReference(text));
    if (names.length === 0) removal.add({ row });
    for (const reference of names) if (!removal.removed.has(row.id)) removal.add({ row, reference });
  } catch (error) {
    if (!GantryError.is(error)) throw error;
    return [];
  }
  return [removal];
}
