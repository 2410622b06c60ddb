import { invalidArgument } from '@gantry/sdk';
import type { Filters } from '@gantry/sdk/engine';

/** How buildx says what of a cache is meant: "type==exec.cachemount,id~=ab". */
const comparison = /^([\w.-]+)(==|~=)(.*)$/;

/** What of a cache is asked for, in the words that the engine has; `keepDuration` in nanoseconds. Refuses what it could only misread. */
export function cacheFilters({ filter, keepDuration }: { readonly filter: readonly string[]; readonly keepDuration: string }): Filters {
  const filters: Record<string, readonly string[]> = {};
  const seconds = Number(BigInt(keepDuration) / 1_000_000_000n);
  if (seconds > 0) filters['until'] = [`${seconds}s`];
  for (const part of filter.flatMap((each) => each.split(',')).filter((each) => each !== '')) {
    const [, key = '', , value = ''] = comparison.exec(part) ?? [];
    if (key === '' && !/^[\w-]+$/.test(part)) throw invalidArgument(`filter ${JSON.stringify(part.slice(0, 80))} is not supported`);
    const name = key === '' ? part : key;
    filters[name] = [...(filters[name] ?? []), key === '' ? 'true' : value];
  }
  return filters;
}
