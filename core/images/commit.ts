import { rm } from 'node:fs/promises';
import { announce } from './announce.ts';
import { applyChanges } from './config/changes.ts';
import { createImage, plainLayer } from './create.ts';
import { familiarText, parseTag } from './reference.ts';
import type { CommitImage, Parts } from './types.ts';

/** An image from a container's changes. What is asked for is checked before anything is read. */
export async function commitImage(parts: Parts, request: CommitImage): Promise<{ readonly id: string }> {
  const { containerId, imageId, config, author, comment, signal } = request;
  const reference = (request.reference ?? '') === '' ? undefined : parseTag(request.reference ?? '');
  const changed = applyChanges(config, request.changes);
  const layer = await parts.layers.exportChanges(containerId, { signal });
  try {
    const createdBy = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])].join(' ');
    const id = await createImage(parts, {
      parent: imageId,
      config: changed,
      layer: plainLayer(layer),
      createdBy,
      author,
      comment,
      reference,
      signal,
      isBuiltHere: true,
    });
    if (reference !== undefined) announce(parts, 'tag', id, familiarText(reference));
    return { id };
  } finally {
    await rm(layer.path, { force: true });
  }
}
