import type { Filters } from '../engine/index.ts';

/** The `filters` parameter; nothing when there are none. */
export function filtersParameter(filters: Filters | undefined): string | undefined {
  return filters === undefined || Object.keys(filters).length === 0 ? undefined : JSON.stringify(filters);
}
