import { invalidArgument, notImplemented } from '@gantry/sdk';
import { type Export, push } from './exports.ts';
import type { Attributes } from './options.ts';

/** As the client asks for it: "registry" with "ref" and "mode", "inline", … */
export interface CacheEntry {
  readonly type: string;
  readonly attrs: Readonly<Record<string, string>>;
}

/**
 * What is sent elsewhere for later builds, by the images of the stages, the last of which is what was built: that one, or with mode=max all
 * of them. Every image tells how it was made, so that it is a cache wherever it is: "inline" needs nothing more.
 */
export function cacheExports(entries: readonly CacheEntry[]): (stageImages: readonly string[]) => readonly Export[] {
  const references = entries.flatMap(({ type, attrs }) => {
    if (type === 'inline') return [];
    if (type !== 'registry') throw notImplemented(`cache export ${JSON.stringify(type.slice(0, 40))} is not supported: registry or inline`);
    const { ref = '', mode = 'min' } = attrs;
    if (ref === '') throw invalidArgument('cache export to a registry needs ref=NAME');
    if (mode !== 'min' && mode !== 'max')
      throw invalidArgument(`cache export mode is min or max, not ${JSON.stringify(mode.slice(0, 40))}`);
    return [{ ref, mode }];
  });
  return (stageImages) =>
    references.map(({ ref, mode }) => ({
      name: `exporting cache to registry ${ref}`,
      tags: [],
      run: ({ imageIds, ...built }) => push(built, ref, mode === 'max' ? [...imageIds, ...stageImages] : imageIds),
    }));
}

/** Images that steps may be taken from: clients say them in one way or another. */
export function cacheImports(attributes: Attributes, imports: readonly CacheEntry[]): readonly string[] {
  const entries = [...imports, ...importsIn(attributes['cache-imports'])];
  const others = entries.find(({ type }) => type !== 'registry' && type !== '');
  if (others !== undefined) throw notImplemented(`cache import ${JSON.stringify(others.type.slice(0, 40))} is not supported: registry`);
  const named = (attributes['cache-from'] ?? '').split(',').filter((name) => name !== '');
  return [...new Set([...entries.flatMap(({ attrs }) => attrs['ref'] ?? []), ...named])];
}

function importsIn(text: string | undefined): readonly CacheEntry[] {
  if (text === undefined || text === '') return [];
  try {
    const list = JSON.parse(text) as readonly { readonly Type?: string; readonly Attrs?: Readonly<Record<string, string>> }[];
    return list.map(({ Type: type = '', Attrs: attrs = {} }) => ({ type, attrs }));
  } catch (error) {
    throw invalidArgument('cache-imports is no list of caches', { cause: error });
  }
}
