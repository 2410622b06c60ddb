/** What stands for "unlimited" in an OCI `rlimits`: RLIM_INFINITY, 2^64-1, is no number of JavaScript's. */
export const unlimited: number = Number.MAX_SAFE_INTEGER;

/** JSON for an OCI runtime, with RLIM_INFINITY for limits that are `unlimited`. In a text the quotes would have a backslash before them. */
export function runtimeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/"(soft|hard)":9007199254740991\b/g, '"$1":18446744073709551615');
}
