import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isInUserNamespace, readMountinfo } from '@gantry/sdk/linux';
import { tryOverlay } from '../../../plugins/graph/overlay2/abilities.ts';
import { Overlay2 } from '../../../plugins/graph/overlay2/overlay2.ts';
import { grantsOf, mountAt } from '../../support/plugins/conformance-world.ts';
import { withExt4 } from '../../support/disks/ext4.ts';
import { RealLayerWork } from '../../support/plugins/layer-work.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
const disk = withExt4({ sizeMiB: 256 });
after(() => disk[Symbol.asyncDispose]());
leakGuard();

const manifest = { name: 'gantry.overlay2' };
const chain = ['below'];
const ctx = { signal: new AbortController().signal };

/** A layer with a file, and a prepared snapshot on it. */
async function opened(abilities?: ReturnType<typeof tryOverlay>): Promise<{ readonly driver: Overlay2; readonly dataDir: string }> {
  const dataDir = mkdtempSync(join(disk.path, 'data-'));
  const driver = new Overlay2(dataDir, abilities);
  await driver.prepare({ key: 'below', chain: [] }, ctx);
  writeFileSync(join(dataDir, 'below/diff/file'), 'below');
  await driver.commit({ key: 'below', name: 'below', chain: [] });
  await driver.prepare({ key: 'work', chain }, ctx);
  return { driver, dataDir };
}

async function shown(driver: Overlay2, dataDir: string, { ephemeral = false } = {}) {
  const request = { key: 'work', chain, readOnly: false, view: 'merged', attachmentId: 'test', ephemeral } as const;
  return mountAt((await driver.attach(request)).attachment, { manifest, dataDir });
}

async function closed({ driver, dataDir }: { readonly driver: Overlay2; readonly dataDir: string }): Promise<void> {
  for (const key of ['work', 'below']) await driver.remove({ key });
  await driver.settled();
  rmSync(dataDir, { recursive: true });
}

test('tryOverlay() finds out what overlayfs can do here, and leaves nothing', () => {
  const root = mkdtempSync(join(disk.path, 'probe-'));
  assert.deepEqual(tryOverlay(root), { isUsable: true, hasVolatile: true, usesUserXattrs: false, noNativeDiff: undefined });
  assert.deepEqual(readdirSync(root), []);
  const { isUsable } = tryOverlay('/proc');
  assert.equal(isUsable, false);
});

test('isInUserNamespace() tells a map of some owners from the map of all', () => {
  assert.equal(isInUserNamespace('         0          0 4294967295\n'), false);
  assert.equal(isInUserNamespace('         0     100000      65536\n'), true);
  assert.equal(isInUserNamespace('         0          0      65536\n'), true);
  assert.equal(isInUserNamespace('         0       1000          1\n         1     100000      65536\n'), true);
});

test('Overlay2.attach() describes a mount that waits for no disk when what is written is ephemeral, and mounts it again afterwards', async () => {
  const opening = await opened();
  const { driver, dataDir } = opening;
  const optionsAt = (path: string) => readMountinfo().find(({ mountPoint }) => mountPoint === path)?.superOptions ?? '';
  {
    await using first = await shown(driver, dataDir, { ephemeral: true });
    // "volatile", and "fsync=volatile" in newer kernels.
    assert.match(optionsAt(first.path), /volatile/);
    writeFileSync(join(first.path, 'file'), 'above');
    // Looked at while it is mounted, as for docker inspect.
    await driver.attach({ key: 'work', chain, readOnly: false, view: 'merged', attachmentId: 'test' });
  }
  {
    await using second = await shown(driver, dataDir);
    assert.doesNotMatch(optionsAt(second.path), /volatile/);
    assert.equal(readFileSync(join(second.path, 'file'), 'utf8'), 'above');
  }
  await closed(opening);
});

test('Overlay2.attach() refuses what was ephemeral when the machine went down', async () => {
  const opening = await opened();
  const { driver, dataDir } = opening;
  {
    await using first = await shown(driver, dataDir, { ephemeral: true });
    writeFileSync(join(first.path, 'file'), 'above');
  }
  writeFileSync(join(dataDir, 'work/ephemeral'), 'another boot');
  await assert.rejects(shown(driver, dataDir), { code: 'data_loss', message: /^snapshot work was written to .* went down$/ });
  await closed(opening);
});

test('Overlay2 whose upper folders do not say everything is compared by whole trees', async () => {
  const opening = await opened({
    isUsable: true,
    hasVolatile: true,
    usesUserXattrs: false,
    noNativeDiff: 'folders are renamed by redirects',
  });
  const { driver, dataDir } = opening;
  assert.deepEqual(driver.features, ['quota']);
  {
    await using tree = await shown(driver, dataDir);
    writeFileSync(join(tree.path, 'added'), 'x');
    unlinkSync(join(tree.path, 'file'));
  }
  await driver.detach({ key: 'work', attachmentId: 'test' });
  {
    await using work = new RealLayerWork({ driver: () => driver, grants: grantsOf({ manifest, dataDir }) });
    assert.deepEqual(await work.changes({ key: 'work', chain }), [
      { path: '/added', kind: 'added' },
      { path: '/file', kind: 'deleted' },
    ]);
  }
  const { status } = await driver.status();
  assert.equal(status.find(({ label }) => label === 'Native Overlay Diff')?.value, 'false');
  await closed(opening);
});

test('Overlay2 finishes what an earlier one was deleting', async () => {
  const opening = await opened();
  const { dataDir } = opening;
  // As after a kill between the rename and the end of the deletion.
  renameSync(join(dataDir, 'work'), join(dataDir, '#gone-work'));
  await closed({ driver: new Overlay2(dataDir), dataDir });
});

test('Overlay2.remove() of a layer with many files answers before they are deleted', async () => {
  const opening = await opened();
  const { driver, dataDir } = opening;
  for (let file = 0; file < 30_000; file += 1) writeFileSync(join(dataDir, 'work/diff', `file${file}`), '');
  const began = performance.now();
  await driver.remove({ key: 'work' });
  const spentMs = performance.now() - began;
  const trash = readdirSync(dataDir).filter((name) => name.startsWith('#gone-work'));
  assert.equal(trash.length, 1, `all was deleted after ${spentMs.toFixed(1)} ms`);
  await driver.settled();
  assert.deepEqual(readdirSync(dataDir), ['below']);
  await closed(opening);
});
