import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { Btrfs } from '../../plugins/graph/btrfs/btrfs.ts';
import { settingsOf } from '../../plugins/graph/btrfs/settings.ts';
import { graphCases } from '../../sdk/graph/conformance.ts';
import { mountAt } from '../support/plugins/conformance-world.ts';
import { missingForDisk, withDisk } from '../support/disks/disk.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { quietLog } from '../support/machine/quiet-log.ts';
import { removeSnapshots } from '../support/images/remove-snapshots.ts';

inNamespaces(import.meta.url, { missing: missingForDisk('btrfs') });
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

for (const { name, skip, run } of graphCases.filter((one) => one.name.startsWith('powerfail.'))) {
  test(`Btrfs passes graph.${name}`, async () => {
    await using disk = withDisk('btrfs', { sizeMiB: 256 });
    const dataDir = join(disk.path, 'data');
    mkdirSync(dataDir);
    const open = (): Btrfs => new Btrfs(dataDir, settingsOf({}));
    let driver = open();
    const subject = {
      driver,
      ctx,
      dataDir,
      restart: async () => (driver = open()),
      mount: (attachment: Parameters<typeof mountAt>[0]) => mountAt(attachment, { manifest: { name: 'gantry.btrfs' }, dataDir }),
      cutPower: async () => {
        await driver.settled();
        disk.cutPower();
        return (driver = open());
      },
    };
    assert.equal(skip(subject) ?? (await run(subject)), undefined);
    await removeSnapshots(driver, ctx);
    await driver.settled();
  });
}
