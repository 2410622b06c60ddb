import { parseDuration } from './duration.ts';
import { refuse } from './refuse.ts';

/** A moment: RFC 3339 (a missing zone is local time), a date, unix seconds, or a duration before now ("10m") → unix seconds with fraction. */
export function parseTime(text: string, nowMs: number = Date.now()): string {
  if (/^\d+(\.\d{1,9})?$/.test(text)) return text;
  if (/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return seconds(nowMs - parseDuration(text) / 1e6);
  const [, date, clock = 'T00:00', fraction = '', zone = ''] =
    /^(\d{4}-\d{2}-\d{2})(T\d{2}(?::\d{2}(?::\d{2})?)?)?(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?$/.exec(text) ?? [];
  const wholeMs = date === undefined ? Number.NaN : Date.parse(`${date}${clock.length === 3 ? `${clock}:00` : clock}${zone}`);
  if (Number.isNaN(wholeMs)) throw refuse(text, 'is not a time', '2026-01-31T12:00:00Z, unix seconds, or how long ago: 10m');
  return `${wholeMs / 1000}${fraction}`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
