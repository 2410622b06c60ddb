import { createHash } from 'node:crypto';
import { cleanPath } from '../worker/entry-path.ts';
import { type Nodes, resolvePath } from './resolve.ts';
import type { SourceNode } from './source-tree.ts';

/**
 * What stands for all that lies on the way to a path, links followed: kinds, owners and permissions, not times. Two trees in which it is the
 * same are the same to whoever copies to that path. Throws as `resolvePath`.
 */
export function wayDigest(tree: Nodes<SourceNode>, path: string): string {
  const hash = createHash('sha256');
  const node = (at: string): SourceNode | undefined => {
    const found = tree.node(at);
    const said = found === undefined ? [] : [found.type, found.mode, found.uid, found.gid, found.linkName, found.capability];
    hash.update(`${JSON.stringify([at, ...said])}\n`);
    return found;
  };
  resolvePath({ node }, cleanPath(Buffer.from(path)));
  return hash.digest('hex');
}
