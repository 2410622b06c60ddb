import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { MemoryExecDriver, MemoryGraphDriver, MemoryIpamDriver, MemoryMachine, MemoryNetworkDriver } from '@gantry/sdk/testing';
import { execCases, type ExecUnderTest } from '../../sdk/exec/conformance.ts';
import { graphCases, type GraphUnderTest } from '../../sdk/graph/conformance.ts';
import { ipamCases } from '../../sdk/ipam/conformance.ts';
import { networkCases } from '../../sdk/network/conformance.ts';
import { bundles } from '../support/plugins/exec-oci.ts';
import { quietLog } from '../support/machine/quiet-log.ts';

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

for (const { name, skip, run } of graphCases) {
  const snapshots = new Map();
  const open = () => new MemoryGraphDriver(snapshots);
  const subject: GraphUnderTest = { driver: open(), ctx, dataDir: '/nowhere', restart: async () => open() };
  test(`MemoryGraphDriver passes graph.${name}`, { skip: skip(subject) ?? false }, async () => void (await run(subject)));
}

for (const { name, run } of ipamCases) {
  const pools = new Map();
  const open = () => new MemoryIpamDriver(pools);
  test(`MemoryIpamDriver passes ipam.${name}`, () => run({ driver: open(), ctx, restart: async () => open() }));
}

for (const { name, skip, run } of networkCases) {
  const open = () => new MemoryNetworkDriver();
  const subject = { driver: open(), ctx, badOption: { nonsense: '1' }, restart: async () => open() };
  test(`MemoryNetworkDriver passes network.${name}`, { skip: skip(subject) ?? false }, () => run(subject));
}

const folder = mkdtempSync(join(tmpdir(), 'memory-exec-'));
after(() => rmSync(folder, { recursive: true }));

for (const { name, skip, run } of execCases) {
  const machine = new MemoryMachine();
  let driver = new MemoryExecDriver(machine);
  const subject: ExecUnderTest = {
    ...bundles(folder, '/nowhere'),
    get driver() {
      return driver;
    },
    restart: async (meanwhile) => {
      driver.close();
      await meanwhile?.();
      return (driver = new MemoryExecDriver(machine));
    },
    hasKernel: false,
    oneOf: 64,
  };
  test(`MemoryExecDriver passes exec.${name}`, { skip: skip(subject) ?? false }, async () => void (await run(subject)));
}
