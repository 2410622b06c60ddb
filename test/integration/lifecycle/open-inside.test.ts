import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { umount2 } from '@gantry/sdk/linux';
import { mayHang } from '../../../core/execute/index.ts';
import { openInside } from '../../../core/lifecycle/inside/aside.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { missing } from '../../support/disks/squashfs.ts';

inNamespaces(import.meta.url);
leakGuard();

const skip = missing('/usr/bin/fuse-overlayfs') ?? false;
const folder = mkdtempSync(join(tmpdir(), 'source-'));
const [lower, source] = [join(folder, 'lower'), join(folder, 'source')];
before(() => {
  for (const path of [lower, source, join(lower, 'sub')]) mkdirSync(path);
  if (skip === false) execFileSync('fuse-overlayfs', ['-o', `lowerdir=${lower}`, source]);
});
after(() => {
  if (skip === false) umount2(source);
});

for (const subpath of ['', 'sub'])
  test(`openInside() opens ${JSON.stringify(subpath)} of a file system that may hang in a thread, which leaves the descriptor open when it ends`, {
    skip,
  }, async () => {
    assert.ok(mayHang(source));
    const { descriptor, isFolder } = await openInside(source, subpath);
    for (let looks = 0; looks < 50; looks += 1) {
      assert.equal(fstatSync(descriptor).ino, statSync(join(source, subpath)).ino);
      await sleep(10);
    }
    assert.ok(isFolder);
    closeSync(descriptor);
  });
