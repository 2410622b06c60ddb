import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '../manifest.ts';
import { folderPrivileges } from './folder-volumes.ts';
import type { Files, Plan } from './plan.ts';
import { protoFiles } from './protos.ts';

/** The manifest of a program that serves its contract without the SDK, and takes no options yet. */
export function servedByItself({ kind }: Plan, title: string, exec: readonly string[]): Pick<Manifest, 'entry'> & Partial<Manifest> {
  return {
    description: `A ${kind} driver in ${title}.`,
    entry: { exec },
    placement: ['process'],
    ...(kind === 'volume' ? { privileges: folderPrivileges } : {}),
    options: { [kind]: { type: 'object', properties: {}, additionalProperties: false } },
  };
}

/** Files of one language's folder beside this one, which are a plugin by themselves, and the contracts that they are made of. */
export function standaloneFiles(lang: string, { name }: Plan, paths: readonly string[]): Files {
  const own = paths.map((path) => {
    const text = readFileSync(join(import.meta.dirname, lang, path), 'utf8').replaceAll('gantry-example', `gantry-${name}`);
    return [path, path.endsWith('.sh') ? { text, mode: 0o755 } : { text }] as const;
  });
  const contracts = Object.entries(protoFiles()).map(([path, file]) => [`proto/${path}`, file] as const);
  return Object.fromEntries([...own, ...contracts]);
}
