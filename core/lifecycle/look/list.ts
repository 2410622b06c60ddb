import { invalidArgument } from '@gantry/sdk';
import type { Container, ListContainers } from '@gantry/sdk/engine';
import { containerFilter, type FilterFacts, impliesAll } from '../list-filters.ts';
import type { Room } from '../room.ts';

/** Newest first, from memory. */
export function listContainers(room: Room, { all = false, limit = 0, filters = {} }: ListContainers): readonly Container[] {
  if (!Number.isInteger(limit)) throw invalidArgument(`invalid limit ${limit}`);
  const passes = containerFilter(filters, filterFacts(room));
  const withStopped = all || limit > 0 || impliesAll(filters);
  const found: Container[] = [];
  for (const entry of room.store.all()) {
    if (!withStopped && !entry.isRunning) continue;
    const container = room.store.view(entry);
    if (!passes(container)) continue;
    found.push(container);
    if (limit > 0 && found.length === limit) break;
  }
  return found;
}

export function filterFacts(room: Room): FilterFacts {
  return {
    descendantsOf: (image) => room.parts.images.descendantsOf(image),
    find: (container) => room.store.view(room.store.find(container)),
  };
}
