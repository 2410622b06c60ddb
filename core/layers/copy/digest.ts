import { createHash, hash as hashOf } from 'node:crypto';
import type { EntryPath } from '../worker/entry-path.ts';
import { choose, type Choice, type Chosen, inside } from './choose.ts';
import type { SourceNode, SourceTree } from './source-tree.ts';

export interface DigestRules {
  /** Owners are part of what is copied; those of a context are whoever sent it. */
  readonly keepsOwners: boolean;
}

/**
 * What stands for the chosen things in a step's history and in the cache: "file:…", "dir:…" or "multi:…". Covers names, contents,
 * permissions and links, and not times: the same files checked out again are the same.
 */
export function choiceDigest(tree: SourceTree, choice: Choice, rules: DigestRules): string {
  const digests = choose(tree, choice).map((chosen) => digestOf(tree, chosen, { choice, rules }));
  const [only] = digests;
  return digests.length === 1 && only !== undefined ? only : `multi:${sha256(digests.join(','))}`;
}

function digestOf(
  tree: SourceTree,
  { path, node, name }: Chosen,
  { choice, rules }: { readonly choice: Choice; readonly rules: DigestRules },
): string {
  if (node.type !== '5') return `file:${nodeDigest(tree, path, name, { node, rules })}`;
  const hash = createHash('sha256');
  if (name !== '') hash.update(`${name}\0`);
  for (const found of inside(tree, path, choice.exclude))
    hash.update(nodeDigest(tree, found.path, found.below, { node: found.node, rules }));
  return `dir:${hash.digest('hex')}`;
}

function nodeDigest(
  tree: SourceTree,
  path: EntryPath,
  name: EntryPath,
  { node, rules }: { readonly node: SourceNode; readonly rules: DigestRules },
): string {
  const { type, mode, uid, gid, size, linkName, deviceMajor, deviceMinor, capability } = node;
  const said = [name, type, mode, ...(rules.keepsOwners ? [uid, gid] : []), size, linkName, deviceMajor, deviceMinor, capability];
  return sha256(`${JSON.stringify(said)}${type === '0' ? tree.contentDigest(path) : ''}`);
}

function sha256(text: string): string {
  return hashOf('sha256', Buffer.from(text, 'latin1'), 'hex');
}
