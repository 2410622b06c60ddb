const longestWaitMs = 120_000;

/** What a Retry-After asks for, seconds or a date (RFC 9110, 10.2.3), in ms; no more than two minutes, however much that is. */
export function retryAfterOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const waitMs = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(waitMs) ? Math.min(Math.max(waitMs, 0), longestWaitMs) : undefined;
}
