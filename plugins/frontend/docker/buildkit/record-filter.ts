import { invalidArgument } from '@gantry/sdk';
import type { BuildRecord } from '@gantry/sdk/engine';

type Test = (record: BuildRecord) => boolean;

/**
 * Which builds are meant, as BuildKit's clients write it: "status==error,startedAt>=24h". All parts of one filter, and one of the filters.
 * `~=` finds the text anywhere. Refuses what it could only misread.
 */
export function recordFilter(filters: readonly string[]): Test {
  const wanted = filters.filter((filter) => filter !== '').map((filter) => filter.split(',').map(testOf));
  return (record) => wanted.length === 0 || wanted.some((tests) => tests.every((test) => test(record)));
}

function testOf(part: string): Test {
  const [, key = '', operator = '', value = ''] = /^\s*(\w+)(==?|!=|~=|>=|<=|>|<)(.*?)\s*$/s.exec(part) ?? [];
  const [text, number] = [texts[key], numbers[key]];
  if (text !== undefined && /^(?:==?|!=|~=)$/.test(operator)) {
    if (operator === '~=') return (record) => text(record).includes(value);
    return (record) => (text(record) === value) === (operator !== '!=');
  }
  if (number !== undefined && /^[<>]/.test(operator)) {
    const bound = number.bound(value);
    return (record) => compared(number.of(record), operator, bound);
  }
  throw invalidArgument(`filter ${JSON.stringify(part.slice(0, 80))} is not supported`, {
    hint: 'ref, status and repository with == != ~=; startedAt, completedAt and duration with < <= > >=',
  });
}

const texts: Readonly<Record<string, (record: BuildRecord) => string>> = {
  ref: ({ id }) => id,
  status: ({ status }) => status,
  repository: ({ attributes, remote }) => attributes['vcs:source'] ?? attributes['context'] ?? remote,
};

const numbers: Readonly<Record<string, { readonly of: (record: BuildRecord) => number | undefined; bound(value: string): number }>> = {
  startedAt: { of: ({ startedMs }) => startedMs, bound: momentOf },
  completedAt: { of: ({ endedMs }) => endedMs, bound: momentOf },
  duration: { of: ({ startedMs, endedMs = Date.now() }) => endedMs - startedMs, bound: durationMs },
};

function compared(value: number | undefined, operator: string, bound: number): boolean {
  if (value === undefined) return false;
  if (operator === '>=') return value >= bound;
  if (operator === '<=') return value <= bound;
  return operator === '>' ? value > bound : value < bound;
}

/** A time, or how long before now. */
function momentOf(text: string): number {
  const moment = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(moment) ? Date.now() - durationMs(text) : moment;
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function durationMs(text: string): number {
  const parts = [...text.slice(0, 64).matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text)
    throw invalidArgument(`${JSON.stringify(text.slice(0, 40))} is neither a time nor a duration`);
  return parts.reduce((sum, [, value, unit]) => sum + Number(value) * (unitsMs[unit ?? ''] ?? 0), 0);
}
