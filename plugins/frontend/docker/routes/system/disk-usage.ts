import type { CacheRecord, DiskUsage } from '@gantry/sdk/engine';
import type { Call } from '../../http/call.ts';
import { invalidArgument } from '@gantry/sdk';
import { containerSummary } from '../../shapes/container-summary.ts';
import { imageSummary } from '../../shapes/image-summary.ts';
import { volumeDocument } from '../volumes.ts';

const counted = ['container', 'image', 'volume'] as const;
const kinds: readonly string[] = [...counted, 'build-cache'];

/** GET /system/df, of everything or of the kinds that `type` names. */
export async function diskUsage(call: Call): Promise<void> {
  const types = call.query.all('type');
  const unknown = types.find((type) => !kinds.includes(type));
  if (unknown !== undefined) throw invalidArgument(`unknown object type: ${unknown}`);
  const wants = (kind: string) => types.length === 0 || types.includes(kind);
  const usage = await call.engine.system.diskUsage({ kinds: counted.filter(wants), signal: call.signal });
  const cache = wants('build-cache') ? await call.engine.builds.cache() : [];
  call.send({
    LayersSize: wants('image') ? usage.layersSizeBytes : 0,
    Images: wants('image') ? usage.images.map((image) => imageSummary(image, call.version)) : null,
    Containers: wants('container') ? containersOf(usage, call) : null,
    Volumes: wants('volume') ? usage.volumes.map(volumeDocument) : null,
    BuildCache: wants('build-cache') ? cache.map(cacheDocument) : null,
    ...(call.version < 42 && { BuilderSize: cache.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) }),
    ...(wants('image') && { ImageUsage: imageUsage(usage), BlobUsage: blobUsage(usage) }),
  });
}

/** Layers that an image with a name has are counted there. */
function cacheDocument({ id, kind, parent, description, inUse, shared, sizeBytes, createdMs, usedMs, uses }: CacheRecord) {
  return {
    ID: id.replace('sha256:', ''),
    ...(parent === '' ? {} : { Parents: [parent.replace('sha256:', '')], Parent: parent.replace('sha256:', '') }),
    Type: kind,
    Description: description,
    InUse: inUse,
    Shared: shared,
    Size: sizeBytes,
    CreatedAt: new Date(createdMs).toISOString(),
    LastUsedAt: usedMs > createdMs ? new Date(usedMs).toISOString() : null,
    UsageCount: uses,
  };
}

function containersOf(usage: DiskUsage, { engine, version }: Call) {
  const nowMs = Date.now();
  return usage.containers.map(({ container, size }) => containerSummary(container, { engine, version, nowMs, size }));
}

/** API 1.52's words. What clients of 1.51 reckon out of `Images` counts layers as reclaimable that other images share. */
function imageUsage({ images, layersSizeBytes, layersReclaimableBytes }: DiskUsage) {
  return {
    TotalCount: images.length,
    ActiveCount: images.filter(({ containers }) => containers > 0).length,
    TotalSize: layersSizeBytes,
    Reclaimable: layersReclaimableBytes,
  };
}

function blobUsage({ blobs }: DiskUsage) {
  return { TotalCount: blobs.count, TotalSize: blobs.sizeBytes, Reclaimable: blobs.reclaimableBytes };
}
