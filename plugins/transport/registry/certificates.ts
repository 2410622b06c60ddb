import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';

export interface Certificates {
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

/** What `<folder>/<host>/` holds, as Docker reads it: `*.crt` are authorities besides the usual ones, `*.cert` with its `*.key` is ours. */
export function certificatesFor(host: string, folders: readonly string[]): Certificates {
  for (const folder of folders) {
    const names = namesIn(join(folder, host));
    if (names.length === 0) continue;
    const read = (name: string): string => readFileSync(join(folder, host, name), 'utf8');
    const authorities = names.filter((name) => name.endsWith('.crt')).map(read);
    const own = names.find((name) => name.endsWith('.cert'));
    return {
      ...(authorities.length === 0 ? {} : { ca: [...getCACertificates('default'), ...authorities] }),
      ...(own === undefined ? {} : { cert: read(own), key: read(own.replace(/\.cert$/, '.key')) }),
    };
  }
  return {};
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}
