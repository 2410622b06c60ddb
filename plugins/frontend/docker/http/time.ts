import { invalidArgument } from '@gantry/sdk';
import type { LogTime } from '@gantry/sdk/log';

/** Reads "1136073600" and "1136073600.000000001". */
export function parseTime(text: string, refusal: string): LogTime {
  const [seconds = '', nanos, ...rest] = text.split('.');
  const bad = (what: string, part: string) =>
    invalidArgument(`${refusal}: invalid timestamp ${JSON.stringify(text)}: invalid ${what} ${JSON.stringify(part)}: invalid syntax`);
  if (!/^[+-]?\d{1,15}$/.test(seconds)) throw bad('seconds', seconds);
  if (rest.length > 0 || (nanos !== undefined && !/^\d{1,9}$/.test(nanos))) throw bad('nanoseconds', [nanos, ...rest].join('.'));
  return { seconds: Number(seconds), nanos: Number((nanos ?? '0').padEnd(9, '0')) };
}

export const neverTime = '0001-01-01T00:00:00Z';

/** RFC 3339 in UTC with all nine decimals, as Docker stamps log lines. */
export function fixedNanoTime({ seconds, nanos }: LogTime): string {
  if (seconds !== stamped) {
    stamped = seconds;
    stampedPrefix = new Date(seconds * 1e3).toISOString().slice(0, 19);
  }
  return `${stampedPrefix}.${String(nanos).padStart(9, '0')}Z`;
}

// Consecutive log lines mostly share their second; formatting a date is what costs.
let stamped = Number.NaN;
let stampedPrefix = '';

export function isNever(time: string): boolean {
  return time === '' || time.startsWith('0001-01-01T00:00:00');
}

export function unixSeconds(time: string): number {
  return isNever(time) ? 0 : Math.floor(Date.parse(time) / 1e3);
}

const minuteMs = 60e3;
const hourMs = 60 * minuteMs;

/** "5 minutes", in the words of Docker's lists. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1e3);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(ms / minuteMs);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(ms / hourMs + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(ms / hourMs / 24 / 365)} years`;
}
