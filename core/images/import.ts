import { rm } from 'node:fs/promises';
import type { Abortable } from '@gantry/sdk';
import type { ImportImage } from '@gantry/sdk/engine';
import { decompressed, plainStream } from '../layers/index.ts';
import { announce } from './announce.ts';
import { writeIngest } from './archive/ingest-writer.ts';
import { applyChanges } from './config/changes.ts';
import { createImage, plainLayer } from './create.ts';
import { parsePlatform } from './platform.ts';
import { parseTag } from './reference.ts';
import type { Parts } from './types.ts';

/** An image of one layer from the tar of a file system. What is asked for is checked before the tar is read. */
export async function importImage(parts: Parts, request: ImportImage & Abortable): Promise<{ readonly id: string }> {
  const { tar, message, changes, platform, signal } = request;
  const reference = (request.reference ?? '') === '' ? undefined : parseTag(request.reference ?? '');
  const config = applyChanges({}, changes);
  const wanted = (platform ?? '') === '' ? undefined : parsePlatform(platform ?? '');
  const path = parts.content.newIngestPath();
  try {
    const layer = await writeIngest(path, decompressed(plainStream(tar, { signal })), { signal });
    const id = await createImage(parts, {
      parent: '',
      config,
      layer: plainLayer(layer),
      comment: message,
      reference,
      isBuiltHere: false,
      signal,
      ...(wanted === undefined ? {} : { platform: wanted }),
    });
    announce(parts, 'import', id);
    return { id };
  } finally {
    await rm(path, { force: true });
  }
}
