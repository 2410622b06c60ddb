import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { MemoryVolumeDriver } from '@gantry/sdk/testing';
import { volumeCases, type VolumeUnderTest } from '../../sdk/volume/conformance.ts';
import { mountAt } from '../support/plugins/conformance-world.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { testPlacements } from '../support/plugins/placed-suite.ts';
import { quietLog } from '../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

testPlacements({
  label: 'local volume',
  plugin: 'volume/local',
  kind: 'volume',
  driver: 'local',
  cases: volumeCases,
  answers: { timed: ['attach.slow-backend-cancelled'] },
  clean: async (volumes) => {
    for (const { name } of await Array.fromAsync(volumes.list({}, ctx))) await volumes.remove({ name, force: true }, ctx);
  },
  run: (tried, { driver, restart, dataDir }) =>
    prove(tried, {
      driver,
      ctx,
      restart,
      options: {
        good: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000' },
        missing: { type: 'nfs' },
        malformed: { type: 'tmpfs', device: 'tmpfs', size: 'much' },
        sized: { size: '16m' },
      },
      mount: (attachment) =>
        mountAt(attachment, { manifest: { name: 'local', privileges: { mountTypes: ['ext4'] } }, dataDir, restricted: true }),
    }),
});

for (const tried of volumeCases) {
  test(`the memory volume driver passes volume.${tried.name}`, async (context) => {
    const { volumes } = new MemoryVolumeDriver();
    const open = () => new MemoryVolumeDriver(volumes);
    const options = { good: { colour: 'red' }, malformed: { colour: '' } };
    const reason = await prove(tried, { driver: open(), ctx, options, restart: async () => open() });
    if (reason !== undefined) context.skip(reason);
  });
}

async function prove({ skip, run }: (typeof volumeCases)[number], subject: VolumeUnderTest): Promise<string | undefined> {
  const reason = skip(subject);
  if (reason === undefined) await run(subject);
  return reason;
}
