import { driverContext } from '../../drivers/index.ts';
import { failpoint, undoSignal } from '../../support/index.ts';
import type { NetworkRecord } from '../documents.ts';
import { releasePools } from '../ipam/pools.ts';
import { collect } from '../repair/cni-leftovers.ts';
import type { Tools } from '../tools.ts';

/**
 * Removes a network that nobody is on: kernel, driver, pools, record. When its driver refuses it stays; from its pools on it goes for good: what a failure or a crash leaves is
 * finished by a second call, and by the next start.
 */
export async function removeNetwork(tools: Tools, network: NetworkRecord): Promise<void> {
  const { books, drivers, executor, events, log } = tools;
  const { id, name, document } = network;
  if (document.configOnly === true) {
    books.removeNetwork(id);
    events.publish('network', 'destroy', id, { name, type: document.driver });
    return;
  }
  const ctx = driverContext(log, undoSignal());
  const { context } = document.plan;
  // The disk takes it while the kernel takes the link away.
  const intended = books.intendRemoval(id);
  intended.catch(() => undefined);
  try {
    await executor.removeNetwork(document.plan);
    failpoint('network.rm.plugin.call');
    await collect(tools, network);
    const driver = await drivers.get('network', document.driver);
    await driver.removeNetwork({ network: document.plan.network, ...(context === undefined ? {} : { context }) }, ctx);
  } catch (error) {
    books.forgetIntent(id);
    throw error;
  }
  failpoint('network.rm.pools');
  if (document.pools.length > 0) await releasePools(await drivers.get('ipam', document.ipamDriver), document.pools, ctx);
  failpoint('network.rm.meta.txn');
  await intended;
  books.removeNetwork(id);
  events.publish('network', 'destroy', id, { name, type: document.driver });
}
