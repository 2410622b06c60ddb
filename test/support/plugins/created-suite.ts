import { test } from 'node:test';
import type { Attachment, Ctx } from '@gantry/sdk';
import { conformance } from '@gantry/sdk/conformance';
import { networkCases } from '../../../sdk/network/conformance.ts';
import { volumeCases } from '../../../sdk/volume/conformance.ts';
import { Kernel, mountAt, realWorld } from './conformance-world.ts';
import type { BuiltPlugin } from './language-plugins.ts';
import { testPlacements } from './placed-suite.ts';
import { quietLog } from '../machine/quiet-log.ts';

/**
 * Tests of plugins that `gantry-sdk create` made: the cases of all plugins outside an engine; those of volumes and networks in its sandbox, the others with its
 * executors. `disk`: a folder in which an overlay can have its upper folders.
 */
export function testCreated(lang: string, plugins: readonly BuiltPlugin[], disk?: string): void {
  let isFirst = true;
  for (const { kind, name, built } of plugins) {
    if ('missing' in built) {
      test(`gantry-sdk create makes a ${kind} driver in ${lang} that passes its tests`, { skip: built.missing }, () => {});
      continue;
    }
    conformance(built.dir, { only: isFirst ? ['plugin.*'] : ofEachKind });
    isFirst = false;
    if (kind === 'volume') testVolumes(name, built.dir);
    if (kind === 'network') testNetworks(name, built.dir);
    if (kind === 'graph' || kind === 'ipam' || kind === 'log')
      conformance(built.dir, { only: [`${kind}.*`], ...(disk && { root: disk }), world: realWorld });
  }
}

/** What hangs on the driver; the rest is the language's own part, which is the same for all kinds. */
const ofEachKind = ['manifest', 'configure', 'reconcile', 'restart', 'concurrency', 'hostapi', 'upgrade'].map(
  (subject) => `plugin.${subject}.*`,
);

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

function testVolumes(name: string, plugin: string): void {
  testPlacements({
    label: name,
    plugin,
    kind: 'volume',
    driver: name,
    placements: ['process'],
    cases: volumeCases,
    clean: async (volumes) => {
      for (const volume of await Array.fromAsync(volumes.list({}, ctx))) await volumes.remove({ name: volume.name, force: true }, ctx);
    },
    async run({ skip, run }, { driver, restart, dataDir }) {
      const mount = (attachment: Attachment) => mountAt(attachment, { manifest: { name }, dataDir });
      const subject = { driver, ctx, restart, mount };
      const reason = skip(subject);
      if (reason === undefined) await run(subject);
      return reason;
    },
  });
}

function testNetworks(name: string, plugin: string): void {
  testPlacements({
    label: name,
    plugin,
    kind: 'network',
    driver: name,
    placements: ['process'],
    cases: networkCases,
    clean: async () => undefined,
    async run({ skip, run }, { driver }) {
      using host = new Kernel();
      const subject = { driver, ctx, host, badOption: { mtu: '67' } };
      const reason = skip(subject);
      if (reason === undefined) await run(subject);
      return reason;
    },
  });
}
