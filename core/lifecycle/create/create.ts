import type { CreateContainer } from '@gantry/sdk/engine';
import { failpoint, randomId } from '../../support/index.ts';
import type { Entry } from '../entry.ts';
import { generateName } from '../name-generator.ts';
import type { Room } from '../room.ts';
import { expectCgroupMove } from '../start/cgroup-moves.ts';
import { checkContainerName } from '../validate/index.ts';
import { composeDocument } from './document.ts';
import { makeContainerFolder } from './folder.ts';
import { noImage } from './no-image.ts';
import { copyImageContent, planMounts } from './mounts.ts';
import { checkedPlatform, checkRequest, storageQuota } from './request.ts';

/**
 * Makes a container that can be started: checks everything, keeps its name, makes its writable layer and volumes, and records it. Durable
 * when it resolves; a failure at any step takes back what was made before it.
 */
export async function createContainer(
  room: Room,
  request: CreateContainer,
): Promise<{ readonly id: string; readonly warnings: readonly string[] }> {
  // Most are started at once.
  expectCgroupMove();
  const { layers, images } = room.parts;
  const image = request.config.Image ? images.resolve(request.config.Image, checkedPlatform(request)) : await noImage(room);
  const checked = await checkRequest(room, request, image);
  const id = randomId();
  const name = request.name ? checkContainerName(request.name) : generateName(id, (taken) => room.store.isTaken(taken));
  await using undo = new AsyncDisposableStack();
  undo.use(room.store.reserve(name, id));
  failpoint('create.name.reserve');
  undo.defer(makeContainerFolder(room.folders.container(id)));
  failpoint('create.id.dir');
  undo.defer(() => layers.remove(id));
  await layers.create(id, { chainIds: image.chainIds, graphDriver: image.graphDriver, ...storageQuota(request.hostConfig) });
  failpoint('create.rw.layer');
  const mounts = await planMounts(room, id, checked, undo);
  await copyImageContent(room, { id, name, mounts, labels: checked.config.Labels ?? undefined });
  failpoint('create.volumes.copyup');
  const document = await composeDocument(room, { id, name, image, checked, mounts });
  failpoint('create.meta.txn');
  const entry = room.store.insert(id, name, document);
  undo.move();
  images.used(image.id);
  announceCreate(room, entry);
  return { id, warnings: checked.warnings };
}

function announceCreate(room: Room, entry: Entry): void {
  failpoint('create.event');
  room.announce(entry, 'create');
}
