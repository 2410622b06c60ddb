import { readFileSync } from 'node:fs';

/** The engine's own version, from package.json. */
export function engineVersion(): string {
  version ??= String(
    (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: unknown }).version,
  );
  return version;
}

let version: string | undefined;
