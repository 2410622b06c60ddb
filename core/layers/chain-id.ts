import { createHash } from 'node:crypto';

/** Names a stack of layers by its diff ids, the lowest first (OCI image-spec, config.md, "Layer ChainID"). */
export function chainIdsOf(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`);
  }
  return chain;
}

/** Two of overlayfs' 127 are for the init layer and the container's own. */
export const maxDepth = 125;
