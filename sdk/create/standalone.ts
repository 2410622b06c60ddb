import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '../manifest.ts';
import { folderNote, folderPrivileges } from './folder-volumes.ts';
import type { Files, Plan } from './plan.ts';
import { protoFiles } from './protos.ts';
import { samples } from './samples.ts';

/** The kinds that there are programs of, which serve their contract without the SDK. */
export const standaloneKinds = ['volume', 'network'] as const satisfies readonly Plan['kind'][];

/** What the manifest of such a program says. */
export function servedByItself({ kind }: Plan, title: string, exec: readonly string[]): Pick<Manifest, 'entry'> & Partial<Manifest> {
  const isVolume = kind === 'volume';
  return {
    description: isVolume ? `Volumes as folders, in ${title}.` : `A bridge per network, in ${title}.`,
    entry: { exec },
    placement: ['process'],
    ...(isVolume
      ? { options: { volume: { type: 'object', properties: {}, additionalProperties: false } }, privileges: folderPrivileges }
      : { options: samples.network.manifest.options ?? {} }),
  };
}

export function standaloneNote({ kind }: Plan): string | undefined {
  return kind === 'volume' ? folderNote : undefined;
}

/**
 * A plugin of its own: what is below one language's folder beside this file, as it is but for the name, with the file of the wanted kind as its
 * driver, and the contracts that it is made of.
 */
export function standaloneFiles(
  lang: string,
  { name, kind }: Plan,
  { driver, others }: { readonly driver: string; readonly others: readonly string[] },
): Files {
  const extension = driver.slice(driver.lastIndexOf('.'));
  const read = (path: string): string =>
    readFileSync(join(import.meta.dirname, lang, path), 'utf8').replaceAll('gantry-example', `gantry-${name}`);
  const own = others.map((path) => [path, path.endsWith('.sh') ? { text: read(path), mode: 0o755 } : { text: read(path) }] as const);
  const contracts = Object.entries(protoFiles()).map(([path, file]) => [`proto/${path}`, file] as const);
  return Object.fromEntries([[driver, { text: read(`${kind}${extension}`) }], ...own, ...contracts]);
}
