import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { entry } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const under = await EngineUnderTest.open();
const { images, containers, volumes, system } = under.engine;
after(() => under[Symbol.asyncDispose]());

const shared = entry('shared', randomBytes(100_000));

test('System.diskUsage() counts every byte once, and as reclaimable what no container needs', async () => {
  await under.image('used', [shared]);
  await under.image('unused', [entry('own', randomBytes(50_000))]);
  await images.tag('used', 'again');
  const busybox = images.inspect('busybox').sizeBytes;
  const used = images.inspect('used').id;
  const idle = await system.diskUsage();
  assert.deepEqual([idle.layersSizeBytes, idle.layersReclaimableBytes], [busybox + 150_000, busybox + 150_000]);
  assert.deepEqual(idle.blobs, { count: blobs().length, sizeBytes: blobBytes(), reclaimableBytes: blobBytes() });

  const hostConfig = { Binds: ['data:/data'] };
  const container = await under.create('head -c 30000 /dev/zero >/file; head -c 20000 /dev/zero >/data/file', {
    config: { Image: 'used' },
    hostConfig,
  });
  const { result } = containers.wait(container, 'next-exit');
  await containers.start(container);
  assert.equal((await result).exitCode, 0);

  const { layersSizeBytes, layersReclaimableBytes, blobs: stored, ...usage } = await system.diskUsage();
  assert.deepEqual([layersSizeBytes, layersReclaimableBytes], [busybox + 150_000, 50_000], 'busybox is shared with what is used');
  assert.equal(stored.sizeBytes, blobBytes());
  // Config and layer of `unused`, and the config of busybox itself.
  const unused = images.inspect('unused');
  const expected = [unused.id, images.inspect('busybox').id].reduce((sum, id) => sum + sizeOf(id), 0) + tarBytes(50_000);
  assert.equal(stored.reclaimableBytes, expected);
  const byName = Object.fromEntries(
    usage.images.map(({ repoTags: [name = ''], sharedSizeBytes, sizeBytes, containers: users }) => [
      name.split(':')[0],
      { sharedSizeBytes, uniqueBytes: sizeBytes - sharedSizeBytes, users },
    ]),
  );
  assert.deepEqual(byName, {
    again: { sharedSizeBytes: busybox, uniqueBytes: 100_000, users: 1 },
    unused: { sharedSizeBytes: busybox, uniqueBytes: 50_000, users: 0 },
    busybox: { sharedSizeBytes: busybox, uniqueBytes: 0, users: 0 },
  });
  assert.deepEqual(
    usage.containers.map(({ size }) => size),
    [{ rw: 30_000, rootFs: busybox + 130_000 }],
  );
  const [volume] = usage.volumes;
  assert.deepEqual(volume?.usage, { sizeBytes: 20_000, refCount: 1 });

  // What it said is what a prune frees.
  const { spaceReclaimed } = await images.prune({ filters: { dangling: ['false'] } });
  assert.equal(spaceReclaimed, 50_000);
  assert.deepEqual((await system.diskUsage()).blobs.reclaimableBytes, 0);
  assert.deepEqual(
    (await images.list({})).map(({ id }) => id),
    [used],
  );

  await containers.remove(container, { volumes: false });
  await volumes.remove('data', { force: false });
  await images.prune({ filters: { dangling: ['false'] } });
  const { images: left, ...nothing } = await system.diskUsage();
  assert.deepEqual([left, blobs()], [[], []]);
  assert.deepEqual(nothing, {
    layersSizeBytes: 0,
    layersReclaimableBytes: 0,
    blobs: { count: 0, sizeBytes: 0, reclaimableBytes: 0 },
    containers: [],
    volumes: [],
  });
});

function blobFolder(): string {
  return join(under.folder, 'data/content/blobs/sha256');
}

function blobs(): readonly string[] {
  return readdirSync(blobFolder());
}

function blobBytes(): number {
  return blobs().reduce((sum, name) => sum + sizeOf(name), 0);
}

function sizeOf(digest: string): number {
  return statSync(join(blobFolder(), digest.replace('sha256:', ''))).size;
}

/** Of a tar with one file: a header, its blocks, and two blocks of end. */
function tarBytes(sizeBytes: number): number {
  return 512 + Math.ceil(sizeBytes / 512) * 512 + 1024;
}
