import assert from 'node:assert/strict';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import type { Mount } from '@gantry/sdk';
import { projectOf, projectUse } from '@gantry/sdk/linux';
import { dropLimits, limitMount, whyNoProjectQuota } from '../../../core/execute/index.ts';
import { Overlay2 } from '../../../plugins/graph/overlay2/overlay2.ts';
import { graphCases, type GraphUnderTest } from '../../../sdk/graph/conformance.ts';
import { busyboxLayer } from '../../support/images/busybox.ts';
import { grantsOf, mountAt } from '../../support/plugins/conformance-world.ts';
import { withExt4, withXfs } from '../../support/disks/ext4.ts';
import { addImage, openLayers } from '../../support/engine/layers-room.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';
import { inQuotaKernel } from '../../support/disks/quota-kernel.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';

inQuotaKernel(import.meta.url);

const mebibyte = 1 << 20;
const manifest = { name: 'gantry.overlay2', privileges: {} };
const ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const plain = withExt4({ sizeMiB: 64 });
after(() => plain[Symbol.asyncDispose]());

for (const [type, disk] of [
  ['ext4', withExt4({ sizeMiB: 256, projectQuotas: true })],
  ['xfs', withXfs({ sizeMiB: 400 })],
] as const) {
  after(() => disk[Symbol.asyncDispose]());

  for (const { name, skip, run } of graphCases.filter((one) => one.name.startsWith('quota.'))) {
    test(`Overlay2 passes graph.${name} on ${type} with project quotas`, async () => {
      const dataDir = mkdtempSync(join(disk.path, 'data-'));
      const driver = new Overlay2(dataDir);
      const why = whyNoProjectQuota(dataDir);
      const subject: GraphUnderTest = {
        driver,
        ctx,
        dataDir,
        restart: async () => new Overlay2(dataDir),
        mount: (attachment) => mountAt(attachment, { manifest, dataDir }),
        ...(why && { noProjectQuota: why.message }),
      };
      assert.equal(skip(subject) ?? (await run(subject)), undefined);
      for (const key of ['two', 'one']) await driver.remove({ key });
      await driver.settled();
      rmSync(dataDir, { recursive: true });
    });
  }

  test(`ContainerLayers.create() on ${type} keeps a container to its size, other containers not, and takes the limit back`, async () => {
    const root = mkdtempSync(join(disk.path, 'layers-'));
    {
      await using room = openLayers(root);
      const { containers } = room.layers;
      const chainIds = await addImage(room, [room.source(busyboxLayer())], 'overlay2');
      const [limited, free] = ['a'.repeat(64), 'b'.repeat(64)];
      await containers.create(limited, { chainIds, graphDriver: 'overlay2', quotaBytes: 8 * mebibyte });
      await containers.create(free, { chainIds, graphDriver: 'overlay2' });
      const rootfs = await containers.mount(limited);
      // What df shows inside.
      const { blocks, bsize } = statfsSync(rootfs);
      assert.equal(blocks * bsize, 8 * mebibyte);
      const written = fill(join(rootfs, 'file'), 32 * mebibyte);
      assert.ok(written > 6 * mebibyte && written <= 8 * mebibyte, `${written} bytes`);
      const tar = Buffer.concat([entry('copied', Buffer.alloc(4 * mebibyte, 1)), endOfArchive]);
      const copying = room.layers.archives.unpack(rootfs, '/', Readable.from([tar]), { noOverwriteDirNonDir: false, copyUidGid: false });
      await assert.rejects(copying, { code: 'exhausted', message: /ENOSPC: no space left on device|EDQUOT: disk quota exceeded/ });
      assert.equal(fill(join(await containers.mount(free), 'file'), 16 * mebibyte), 16 * mebibyte);
      const upper = openSync(join(root, 'data/plugins/overlay2', limited, 'diff'), constants.O_RDONLY);
      const project = projectOf(upper);
      assert.equal(projectUse(upper, project).limitBytes, 8 * mebibyte);
      closeSync(upper);
      for (const id of [limited, free]) {
        await containers.unmount(id);
        await containers.remove(id);
      }
      const folder = openSync(root, constants.O_RDONLY);
      assert.equal(projectUse(folder, project).limitBytes, 0);
      closeSync(folder);
    }
    rmSync(root, { recursive: true });
  });

  test(`limitMount() on ${type} gives each its own number, the same again for the same, and none to folders with files`, () => {
    const dataDir = mkdtempSync(join(disk.path, 'data-'));
    const grants = grantsOf({ manifest, dataDir });
    const numberOf = (name: string): number => {
      const folder = openSync(join(dataDir, name), constants.O_RDONLY);
      const project = projectOf(folder);
      closeSync(folder);
      return project;
    };
    for (const name of ['one', 'two', 'full']) mkdirSync(join(dataDir, name));
    writeFileSync(join(dataDir, 'full', 'file'), 'x');
    for (const name of ['one', 'two', 'one']) limitMount(bind(name, mebibyte), grants);
    const [one, two] = [numberOf('one'), numberOf('two')];
    assert.ok(one !== two && one !== 0 && two !== 0);
    limitMount(bind('one', 2 * mebibyte), grants);
    assert.equal(numberOf('one'), one);
    assert.throws(() => limitMount(bind('full', mebibyte), grants), { code: 'conflict', message: /holds files already/ });
    assert.throws(() => limitMount({ ...bind('one', 1), source: { host: '/' } }, grants), { code: 'invalid_argument' });
    dropLimits([bind('one', 1), bind('two', 1)], grants);
    rmSync(dataDir, { recursive: true });
  });
}

test('ContainerLayers.create() refuses a size where the file system keeps to none, says how to get it, and leaves nothing', async () => {
  const root = mkdtempSync(join(plain.path, 'layers-'));
  {
    await using room = openLayers(root);
    const { containers } = room.layers;
    const chainIds = await addImage(room, [room.source(busyboxLayer())], 'overlay2');
    const id = 'c'.repeat(64);
    await assert.rejects(containers.create(id, { chainIds, graphDriver: 'overlay2', quotaBytes: mebibyte }), {
      code: 'invalid_argument',
      message: /^--storage-opt size=1048576: size limits need project quotas, and the file system of .* has no project quotas$/,
      hint: /tune2fs -O project,quota .*prjquota/,
    });
    await containers.remove(id);
    assert.deepEqual(containers.all(), []);
    await assert.rejects(containers.create(id, { chainIds, graphDriver: 'vfs', quotaBytes: mebibyte }), {
      code: 'invalid_argument',
      message: '--storage-opt size is not supported by storage driver vfs',
      hint: /pquota/,
    });
  }
  rmSync(root, { recursive: true });
});

function bind(name: string, quotaBytes: number): Mount {
  return { type: 'bind', source: { data: name }, quotaBytes };
}

/** How much went in before there was no room. */
function fill(path: string, mostBytes: number): number {
  const file = openSync(path, 'w');
  const chunk = Buffer.alloc(64 * 1024, 1);
  let written = 0;
  try {
    while (written < mostBytes) written += writeSync(file, chunk);
  } catch {
    // That is what is measured.
  } finally {
    closeSync(file);
  }
  return written;
}
