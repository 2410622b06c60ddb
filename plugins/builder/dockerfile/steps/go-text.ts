import type { Healthcheck } from '@gantry/sdk/engine';

/** How Go writes what Docker puts into histories. */

/** %q of a list of strings: ["cat" "x"]. */
export function quotedList(words: readonly string[] | null | undefined): string {
  return `[${(words ?? []).map((word) => JSON.stringify(word)).join(' ')}]`;
}

/** %q of a pointer to a health check, whose count of retries becomes a character. */
export function quotedHealthcheck({ Test, Interval, Timeout, StartPeriod, StartInterval, Retries = 0 }: Healthcheck): string {
  const durations = [Interval, Timeout, StartPeriod, StartInterval].map((nanoseconds = 0) => `"${durationText(nanoseconds)}"`);
  return `&{${[quotedList(Test), ...durations, quotedRune(Retries)].join(' ')}}`;
}

/** Duration.String: "1h2m3.5s", "250ms". */
function durationText(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${nanoseconds / 1e3}µs`;
  if (nanoseconds < 1e9) return `${nanoseconds / 1e6}ms`;
  const minutes = Math.floor(nanoseconds / 60e9);
  const seconds = `${(nanoseconds % 60e9) / 1e9}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

const runes: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  39: "\\'",
  92: '\\\\',
};

function quotedRune(code: number): string {
  const isPlain = code >= 32 && code < 127;
  return `'${runes[code] ?? (isPlain ? String.fromCodePoint(code) : `\\x${code.toString(16).padStart(2, '0')}`)}'`;
}
