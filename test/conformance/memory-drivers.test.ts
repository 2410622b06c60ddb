import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { MemoryGraphDriver, MemoryIpamDriver, MemoryNetworkDriver } from '@gantry/sdk/testing';
import { graphCases, type GraphUnderTest } from '../../sdk/graph/conformance.ts';
import { ipamCases } from '../../sdk/ipam/conformance.ts';
import { networkCases } from '../../sdk/network/conformance.ts';
import { quietLog } from '../support/quiet-log.ts';

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
  const subject = { driver: new MemoryNetworkDriver(), ctx, badOption: { nonsense: '1' } };
  test(`MemoryNetworkDriver passes network.${name}`, { skip: skip(subject) ?? false }, () => run(subject));
}
