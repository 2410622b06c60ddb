import { invalidArgument } from '@gantry/sdk';
import type { Filters } from '@gantry/sdk/engine';

/** Reads `{"key":{"value":true}}` and the older `{"key":["value"]}`. Which keys there are is for the engine to say. */
export function parseFilters(text: string): Filters {
  if (text === '') return {};
  const parsed = parse(text);
  if (parsed === null) return {};
  if (!isRecord(parsed)) throw invalidArgument('invalid filter');
  return Object.fromEntries(Object.entries(parsed).map(([key, values]) => [key, valuesOf(values)]));
}

/** The filters with one more value. */
export function withFilter(filters: Filters, key: string, value: string): Filters {
  return { ...filters, [key]: [...(filters[key] ?? []), value] };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidArgument('invalid filter');
  }
}

function valuesOf(values: unknown): readonly string[] {
  if (Array.isArray(values) && values.every((value) => typeof value === 'string')) return values;
  if (isRecord(values) && Object.values(values).every((value) => typeof value === 'boolean')) return Object.keys(values);
  throw invalidArgument('invalid filter');
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
