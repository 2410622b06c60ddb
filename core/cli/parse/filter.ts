import type { Filters } from '@gantry/sdk/engine';
import { refuse } from './refuse.ts';

/** `key=value`; which keys there are is the server's business. */
export function parseFilter(text: string): readonly [key: string, value: string] {
  const [, key, value = ''] = /^\s*([a-z][a-z-]*!?)=(.*)$/is.exec(text) ?? [];
  if (key === undefined) throw refuse(text, 'is not a filter', 'write key=value, e.g. status=exited');
  return [key.toLowerCase(), value.trim()];
}

export function toFilters(pairs: readonly (readonly [string, string])[]): Filters {
  const filters: Record<string, readonly string[]> = {};
  for (const [key, value] of pairs) filters[key] = [...(filters[key] ?? []), value];
  return filters;
}
