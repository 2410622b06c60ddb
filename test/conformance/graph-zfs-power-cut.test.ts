import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { Zfs } from '../../plugins/graph/zfs/zfs.ts';
import { graphCases } from '../../sdk/graph/conformance.ts';
import { mountAt } from '../support/plugins/conformance-world.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { quietLog } from '../support/machine/quiet-log.ts';
import { removeSnapshots } from '../support/images/remove-snapshots.ts';
import { missingForZfs, withZfsPool } from '../support/disks/zfs-pool.ts';

inNamespaces(import.meta.url, { missing: missingForZfs() });
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const manifest = { name: 'gantry.zfs', privileges: { mountTypes: ['zfs'] } };

for (const { name, skip, run } of graphCases.filter((one) => one.name.startsWith('powerfail.'))) {
  test(`Zfs passes graph.${name}, its folders on the pool as well`, async () => {
    await using pool = withZfsPool({ sizeMiB: 256 });
    execFileSync('zfs', ['create', '-o', 'mountpoint=legacy', `${pool.name}/data`]);
    const root = mkdtempSync(join(tmpdir(), 'zfs-data-'));
    const mount = (): unknown => execFileSync('mount', ['-t', 'zfs', `${pool.name}/data`, root]);
    mount();
    const dataDir = join(root, 'driver');
    const open = (): Zfs => new Zfs(dataDir, { log: quietLog });
    let driver = open();
    const subject = {
      driver,
      ctx,
      dataDir,
      restart: async () => (driver = open()),
      mount: (attachment: Parameters<typeof mountAt>[0]) => mountAt(attachment, { manifest, dataDir }),
      cutPower: async () => {
        await driver.settled();
        // Unmounting writes everything: the copy comes before.
        pool.cutPower({ whenCopied: () => execFileSync('umount', [root]) });
        mount();
        return (driver = open());
      },
    };
    assert.equal(skip(subject) ?? (await run(subject)), undefined);
    await removeSnapshots(driver, ctx);
    await driver.settled();
    const left = execFileSync('zfs', ['list', '-H', '-o', 'name', '-r', pool.name], { encoding: 'utf8' });
    assert.deepEqual(left.trim().split('\n'), [pool.name, `${pool.name}/data`], 'no data set is left of what the power cut took');
    execFileSync('umount', [root]);
    rmdirSync(root);
  });
}
