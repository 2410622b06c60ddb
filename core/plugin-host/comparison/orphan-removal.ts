import { notImplemented, type Ref } from '@gantry/sdk';
import { driverContext, type Drivers } from '../../drivers/index.ts';
import type { Logger } from '@gantry/sdk';
import { anySignal, undoSignal } from '../../support/index.ts';

const removalMs = 60_000;

/** Has a driver delete an object that the records do not have. Only what is known by its id alone can be. */
export async function removeOrphan(
  drivers: Pick<Drivers, 'get'>,
  { contract, driver, kind, id }: Ref,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const ctx = driverContext(log, anySignal(signal, undoSignal(removalMs)));
  if (contract === 'volume' && kind === 'volume') await (await drivers.get('volume', driver)).remove({ name: id, force: false }, ctx);
  else if (contract === 'graph' && kind === 'snapshot') await (await drivers.get('graph', driver)).remove({ key: id }, ctx);
  else if (contract === 'ipam' && kind === 'pool') await (await drivers.get('ipam', driver)).releasePool({ poolId: id }, ctx);
  else throw notImplemented(`a ${kind} of a ${contract} driver cannot be deleted by its id alone`);
}
