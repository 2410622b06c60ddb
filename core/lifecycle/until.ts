import { invalidArgument } from '@gantry/sdk';

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };

/** A moment in milliseconds: a unix time, RFC 3339, or a duration before now ("10m", "1h30m"). */
export function parseUntil(text: string, nowMs = Date.now()): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1e3;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text) {
    return nowMs - parts.reduce((sum, [, number = '0', unit = 's']) => sum + Number(number) * (unitsMs[unit] ?? 0), 0);
  }
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw invalidArgument(`invalid filter 'until=${text}'`);
  return time;
}
