import { invalidArgument } from '@gantry/sdk';
import type { Filters } from '@gantry/sdk/engine';
import type { LogTime } from '@gantry/sdk/log';
import { parseFilters } from './filters.ts';
import { parseTime } from './time.ts';

export type QueryValues = Readonly<Record<string, string | readonly string[] | undefined>>;

const falseWords = new Set(['', '0', 'no', 'false', 'none']);

/** A query string with the readings that Docker gives it; of a repeated key the first value counts. */
export class Query {
  readonly #values: QueryValues;

  constructor(values: QueryValues) {
    this.#values = values;
  }

  /** "" when absent. */
  text(key: string): string {
    return this.all(key)[0] ?? '';
  }

  /** Absent when empty. */
  word(key: string): string | undefined {
    return this.text(key) || undefined;
  }

  all(key: string): readonly string[] {
    const value = this.#values[key];
    if (value === undefined) return [];
    return typeof value === 'string' ? [value] : value;
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined;
  }

  /** "", 0, no, false and none are false, everything else is true. */
  flag(key: string, absent = false): boolean {
    return this.has(key) ? !falseWords.has(this.text(key).trim().toLowerCase()) : absent;
  }

  /** Absent when empty. */
  integer(key: string): number | undefined {
    const text = this.text(key);
    if (text === '') return undefined;
    if (!/^[+-]?\d+$/.test(text)) throw invalidArgument(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
    const value = Number(text);
    if (!Number.isSafeInteger(value)) throw invalidArgument(`strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`);
    return value;
  }

  filters(): Filters {
    return parseFilters(this.text('filters'));
  }

  /** Seconds since 1970 with up to nine decimals; absent when empty. */
  time(key: string, quote: '"' | "'" = '"'): LogTime | undefined {
    const text = this.text(key);
    return text === '' ? undefined : parseTime(text, `invalid value for ${quote}${key}${quote}`);
  }
}
