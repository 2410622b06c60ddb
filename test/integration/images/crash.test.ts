import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { busyboxImage } from '../../support/images/busybox.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { RoomUnderTest } from './room.ts';

inNamespaces(import.meta.url);
leakGuard();

const loader = fileURLToPath(new URL('loader.ts', import.meta.url));
const nothing = { blobs: 0, ingest: [], layers: 0, snapshots: 0 };
const { archive, imageId } = busyboxImage();

function runLoader(root: string, failpoints: string) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', loader, root], {
    env: { ...process.env, GANTRY_FAILPOINTS: failpoints },
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, signal, told: stdout === '' ? [] : (JSON.parse(stdout) as readonly Readonly<Record<string, unknown>>[]), stderr };
}

const points = [
  'load.spool',
  'load.member',
  'load.validate',
  'load.layer',
  'layer.stage',
  'layer.apply',
  'layer.sync',
  'layer.commit',
  'load.image.txn',
  'load.tags.txn',
];

for (const point of points) {
  test(`Images.load() killed at ${point} has loaded nothing, and what it left goes away`, async () => {
    const root = mkdtempSync(join(tmpdir(), 'images-'));
    const { signal, stderr } = runLoader(root, `${point}=kill`);
    assert.equal(signal, 'SIGKILL', stderr);
    {
      await using room = RoomUnderTest.open({ root });
      assert.deepEqual(await room.images.list({ all: true }), []);
      room.content.sweep();
      await room.layers.collect(['overlay2'], new Set());
      await room.images.collect();
      assert.deepEqual(await room.left(), nothing);
      assert.deepEqual(await room.load(archive), [{ id: imageId, reference: 'busybox:latest' }]);
    }
    rmSync(root, { recursive: true });
  });

  test(`Images.load() that meets a full disk at ${point} says so, leaves nothing, and works when there is room again`, () => {
    const root = mkdtempSync(join(tmpdir(), 'images-'));
    const { status, told, stderr } = runLoader(root, `${point}=1*error(ENOSPC)`);
    assert.equal(status, 0, stderr);
    const [failed, loaded] = told;
    assert.deepEqual([failed?.['left'], failed?.['images']], [nothing, 0], String(failed?.['message']));
    assert.match(String(failed?.['message']), /ENOSPC/);
    assert.deepEqual(loaded?.['loaded'], [{ id: imageId, reference: 'busybox:latest' }]);
    rmSync(root, { recursive: true });
  });
}
