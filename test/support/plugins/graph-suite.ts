import type { Ctx, HostContext } from '@gantry/sdk';
import { whyNoProjectQuota } from '../../../core/execute/index.ts';
import { type GraphCase, graphCases, type GraphUnderTest } from '../../../sdk/graph/conformance.ts';
import { grantsOf, mountAt } from './conformance-world.ts';
import { RealLayerWork } from './layer-work.ts';
import type { DriverPlacement } from './placed-driver.ts';
import { type PlacedSubject, testPlacements } from './placed-suite.ts';
import { quietLog } from '../machine/quiet-log.ts';
import { removeSnapshots } from '../images/remove-snapshots.ts';

export interface GraphSuite {
  /** Of the driver, and of the plugin in plugins/graph. */
  readonly name: string;
  /** The folder of a disk that such a driver can work on. */
  readonly root: string;
  readonly config?: HostContext['config'];
  readonly placements?: readonly DriverPlacement[];
  /** The privileges of its manifest that its descriptions need. */
  readonly privileges?: Parameters<typeof grantsOf>[0]['manifest']['privileges'];
  /** What else is known of the host. */
  readonly facts?: Pick<GraphUnderTest, 'usedBytes'>;
  /** Cases that the program behind the driver fails without any of ours, by name, with what it does. */
  readonly limits?: Readonly<Record<string, string>>;
}

/** Every case for a shipped graph driver in every placement, with the engine's own executor and its work on layers. */
export function testGraphDriver({ name, root, config, placements, privileges = {}, facts = {}, limits = {} }: GraphSuite): void {
  const manifest = { name: `gantry.${name}`, privileges };
  testPlacements<'graph', GraphCase>({
    label: `${name} graph`,
    plugin: `graph/${name}`,
    kind: 'graph',
    driver: name,
    root,
    cases: graphCases,
    ...(config && { config }),
    ...(placements && { placements }),
    answers: {
      // Of a mount that somebody looks through, and of a data set.
      varying: [/view-[0-9a-f]+/g, /(?<=\/gantry\..+)\.[0-9a-f]{8}(?=@|$)/g],
      timed: ['space.10k-layers-list-time', 'apply.killed-half-way-then-retry', 'commit.atomic-under-kill9'],
    },
    clean: (driver) => removeSnapshots(driver, ctx),
    async run({ name: tried, skip, run }, placed: PlacedSubject<'graph'>) {
      if (limits[tried] !== undefined) return limits[tried];
      const { restart, dataDir, kill } = placed;
      await using layers = new RealLayerWork({ driver: () => placed.driver, grants: grantsOf({ manifest, dataDir }) });
      const why = whyNoProjectQuota(dataDir);
      const subject: GraphUnderTest = {
        driver: placed.driver,
        ctx,
        dataDir,
        restart,
        mount: (attachment) => mountAt(attachment, { manifest, dataDir }),
        layers,
        ...(kill && { kill }),
        ...(why && { noProjectQuota: why.message }),
        ...facts,
      };
      return skip(subject) ?? (await run(subject)) ?? undefined;
    },
  });
}

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
