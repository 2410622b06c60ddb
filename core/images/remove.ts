import type { DeletedImage } from '@gantry/sdk/engine';
import { failpoint } from '../support/index.ts';
import { Removal, type RemoveOptions } from './removal.ts';
import type { Parts } from './types.ts';

/** Takes a name away, and with the last name the image. Answers what went, layers last; see `Removal` for what is refused. */
export async function removeImage(parts: Parts, image: string, options: RemoveOptions): Promise<readonly DeletedImage[]> {
  using _names = await parts.locks.acquire('names');
  const removal = new Removal(parts, options);
  removal.add(parts.store.resolve(image));
  const { layers } = await carryOut(parts, [removal]);
  return [...removal.records, ...layers.map((deleted) => ({ deleted }))];
}

/**
 * Does what was planned: rows in one transaction and in the same breath as the planning, so whoever uses an image comes before or after;
 * then what no row needs any more. The caller holds the names.
 */
export async function carryOut(
  parts: Parts,
  removals: readonly Removal[],
): Promise<{ readonly layers: readonly string[]; readonly spaceReclaimed: number }> {
  const unname = removals.flatMap((removal) => [...removal.unnamed]);
  const remove = removals.flatMap((removal) => [...removal.removed]);
  const events = [
    ...unname.map((text) => eventOf(parts, 'untag', parts.store.imageOf(text) ?? '')),
    ...remove.map((id) => eventOf(parts, 'delete', id)),
  ];
  failpoint('image.remove.txn');
  parts.store.change({ unname, remove });
  for (const tell of events) tell();
  if (remove.length === 0) return { layers: [], spaceReclaimed: 0 };
  failpoint('image.remove.files');
  for (const id of remove) if (parts.layers.images.isBlobFree(id)) await parts.content.remove(id);
  return releaseLayers(parts);
}

/** Labels are read while the image is there; the event is sent when it is gone. */
function eventOf({ store, events }: Parts, action: string, id: string): () => void {
  const labels = store.configOrEmpty(id).config?.Labels;
  return () => events.publish('image', action, id, { ...labels, name: id });
}

async function releaseLayers({ layers }: Parts): Promise<{ readonly layers: readonly string[]; readonly spaceReclaimed: number }> {
  const before = layers.images.all();
  const spaceReclaimed = await layers.releaseUnused();
  return { layers: before.flatMap(({ chainId }) => (layers.images.get(chainId) === undefined ? [chainId] : [])), spaceReclaimed };
}
