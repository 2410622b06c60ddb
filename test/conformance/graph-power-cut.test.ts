import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { Overlay2 } from '../../plugins/graph/overlay2/overlay2.ts';
import { Vfs } from '../../plugins/graph/vfs/vfs.ts';
import { graphCases } from '../../sdk/graph/conformance.ts';
import { mountAt } from '../support/plugins/conformance-world.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { PowerCutDisk } from '../support/disks/power-cut.ts';
import { quietLog } from '../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

for (const Driver of [Overlay2, Vfs]) {
  for (const { name, skip, run } of graphCases.filter((one) => one.name.startsWith('powerfail.'))) {
    test(`${Driver.name} passes graph.${name}`, async (context) => {
      await using disk = new PowerCutDisk({ path: join(mkdtempSync(join(tmpdir(), 'power-')), 'disk') });
      const dataDir = join(disk.path, 'data');
      mkdirSync(dataDir);
      let driver = new Driver(dataDir);
      const manifest = { name: 'gantry.tested' };
      const subject = {
        driver,
        ctx,
        dataDir,
        restart: async () => (driver = new Driver(dataDir)),
        mount: (attachment: Parameters<typeof mountAt>[0]) => mountAt(attachment, { manifest, dataDir }),
        cutPower: async () => {
          disk.cut();
          await driver.settled();
          await disk.restore();
          return (driver = new Driver(dataDir));
        },
      };
      const reason = skip(subject) ?? (await run(subject));
      await driver.settled();
      if (typeof reason === 'string') context.skip(reason);
    });
  }
}
