import { after } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { graphCases, type GraphUnderTest } from '../../sdk/graph/conformance.ts';
import { mountAt } from '../support/conformance-world.ts';
import { withDisk } from '../support/disk.ts';
import { leakGuard } from '../support/leak-guard.ts';
import { inNamespaces } from '../support/namespaces.ts';
import { testPlacements } from '../support/placed-suite.ts';
import { quietLog } from '../support/quiet-log.ts';

inNamespaces(import.meta.url);

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const disk = withDisk('btrfs', { sizeMiB: 512 });
leakGuard();

testPlacements({
  label: `btrfs graph`,
  plugin: `graph/btrfs`,
  kind: 'graph',
  driver: 'btrfs',
  root: disk.path,
  cases: graphCases,
  clean: async (graph) => {
    for await (const { key } of graph.list({}, ctx)) await graph.remove({ key }, ctx);
  },
  async run({ skip, run }, { driver, restart, dataDir }) {
    const manifest = { name: 'gantry.btrfs' };
    const subject: GraphUnderTest = { driver, ctx, dataDir, restart, mount: (attachment) => mountAt(attachment, { manifest, dataDir }) };
    const reason = skip(subject);
    if (reason === undefined) await run(subject);
    return reason;
  },
});
// Last: the plugins' folders are on it.
after(() => disk[Symbol.asyncDispose]());
