import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '../manifest.ts';
import { folderNote, folderPrivileges } from './folder-volumes.ts';
import type { Files, Plan } from './plan.ts';
import { protoFiles } from './protos.ts';
import { samples } from './samples.ts';

/** The kinds that there are programs of, which serve their contract without the SDK. */
export const standaloneKinds = ['volume', 'graph', 'network', 'ipam', 'log'] as const satisfies readonly Plan['kind'][];
type StandaloneKind = (typeof standaloneKinds)[number];

/** What each of them does, and what its manifest says beyond that. */
const facts: Readonly<Record<StandaloneKind, { readonly does: string; readonly manifest: Partial<Manifest> }>> = {
  volume: {
    does: 'Volumes as folders',
    manifest: { options: { volume: { type: 'object', properties: {}, additionalProperties: false } }, privileges: folderPrivileges },
  },
  graph: { does: 'Image layers by overlayfs', manifest: { privileges: folderPrivileges } },
  network: { does: 'A bridge per network', manifest: { options: samples.network.manifest.options ?? {} } },
  // Two generations at once would each believe its own copy of the file.
  ipam: { does: 'Addresses out of a file', manifest: { state: { version: 1, upgrade: 'exclusive' } } },
  log: { does: 'Output as one file per container', manifest: { options: samples.log.manifest.options ?? {} } },
};

/** What the manifest of such a program says. */
export function servedByItself({ kind }: Plan, title: string, exec: readonly string[]): Pick<Manifest, 'entry'> & Partial<Manifest> {
  const { does, manifest } = facts[standalone(kind)];
  return { description: `${does}, in ${title}.`, entry: { exec }, placement: ['process'], ...manifest };
}

export function standaloneNote({ kind }: Plan): string | undefined {
  return facts[standalone(kind)].manifest.privileges === undefined ? undefined : folderNote;
}

function standalone(kind: Plan['kind']): StandaloneKind {
  return standaloneKinds.find((one) => one === kind) ?? 'volume';
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
