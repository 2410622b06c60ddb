import type { LogTime } from './contract.ts';

/** Negative, zero or positive, as sort wants it. */
export function compareLogTime(a: LogTime, b: LogTime): number {
  return a.seconds - b.seconds || a.nanos - b.nanos;
}

/** RFC 3339 in UTC with nanoseconds; trailing zeros go unless `fixed`, as Go's RFC3339Nano has it. */
export function formatLogTime({ seconds, nanos }: LogTime, { fixed = false }: { readonly fixed?: boolean } = {}): string {
  const digits = String(nanos).padStart(9, '0');
  const fraction = fixed ? digits : digits.replace(/0+$/, '');
  return `${new Date(seconds * 1e3).toISOString().slice(0, 19)}${fraction === '' ? '' : `.${fraction}`}Z`;
}

/** Reads RFC 3339 with any number of fraction digits and any offset; undefined when it is none. */
export function parseLogTime(text: string): LogTime | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const [, base, fraction = '', offset] = match ?? [];
  const milliseconds = Date.parse(`${base}${offset}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return { seconds: milliseconds / 1e3, nanos: Number(fraction.padEnd(9, '0')) };
}
