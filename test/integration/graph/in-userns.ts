/** Runs the graph cases with overlay2 in this user namespace, over a tmpfs of its own, and prints what became of each as JSON. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '@gantry/sdk';
import { mount } from '@gantry/sdk/linux';
import { Overlay2 } from '../../../plugins/graph/overlay2/overlay2.ts';
import { graphCases, type GraphUnderTest } from '../../../sdk/graph/conformance.ts';
import { grantsOf, mountAt } from '../../support/plugins/conformance-world.ts';
import { RealLayerWork } from '../../support/plugins/layer-work.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

const ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const manifest = { name: 'gantry.overlay2' };
const disk = mkdtempSync(join(tmpdir(), 'userns-'));
mount('tmpfs', disk, { type: 'tmpfs', data: 'size=512m' });
process.env['TMPDIR'] = disk;

const outcomes: Record<string, string> = {};
for (const { name, skip, run } of graphCases.filter((one) => !one.name.startsWith('space.'))) {
  const dataDir = join(disk, name);
  mkdirSync(dataDir);
  const driver = new Overlay2(dataDir);
  await using layers = new RealLayerWork({ driver: () => driver, grants: grantsOf({ manifest, dataDir }) });
  const subject: GraphUnderTest = {
    driver,
    ctx,
    dataDir,
    restart: async () => new Overlay2(dataDir),
    mount: (attachment) => mountAt(attachment, { manifest, dataDir }),
    layers,
    noProjectQuota: 'a tmpfs has none',
  };
  outcomes[name] = await Promise.resolve(skip(subject) ?? run(subject)).then(
    (reason) => (reason === undefined ? 'passed' : `skipped: ${reason}`),
    (error: unknown) => `failed: ${messageOf(error)}`,
  );
  await driver.settled();
}
const { status } = await new Overlay2(join(disk, 'status')).status();
console.log(JSON.stringify({ outcomes, status: Object.fromEntries(status.map(({ label, value }) => [label, value])) }));
