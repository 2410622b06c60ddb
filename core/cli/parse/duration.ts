import { refuse } from './refuse.ts';

const unitsNs: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** "1m30s", "500ms", "1.5h" → nanoseconds. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/gy)];
  const length = parts.reduce((sum, [part]) => sum + part.length, 0);
  if (text === '0') return 0;
  if (parts.length === 0 || length !== text.length)
    throw refuse(text, 'is not a duration', 'write numbers and units: 500ms, 30s, 1m30s, 2h');
  const ns = Math.round(parts.reduce((sum, [, number = '', unit = '']) => sum + Number(number) * (unitsNs[unit] ?? 0), 0));
  if (!Number.isSafeInteger(ns)) throw refuse(text, 'is too long a duration');
  return ns;
}
