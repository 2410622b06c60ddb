const unitsMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 60e3, h: 3600e3 };

/**
 * Milliseconds since 1970 for what users write after `until=`: a duration back from now ("24h", "1h30m"), seconds since 1970 with or
 * without a fraction, RFC 3339, or a part of it from the left, which is local time when it has no zone. Undefined for anything else.
 */
export function momentOf(text: string, nowMs = Date.now()): number | undefined {
  if (text.length > 64) return undefined;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (text !== '' && parts.map(([whole]) => whole).join('') === text) {
    return nowMs - parts.reduce((sum, [, value, unit]) => sum + Number(value) * (unitsMs[unit ?? ''] ?? 0), 0);
  }
  const [, date, hour = '00', rest = '', zone] =
    /^(\d{4}-\d\d-\d\d)(?:T(\d\d)((?::\d\d){0,2}(?:\.\d{1,9})?))?(Z|[+-]\d\d:\d\d)?$/.exec(text) ?? [];
  const time = Date.parse(`${date}T${hour}${rest === '' ? ':00' : rest}${zone ?? ''}`);
  return date === undefined || Number.isNaN(time) ? undefined : time;
}
