import { codeOf, type Ctx, GantryError, messageOf, notFound } from '@gantry/sdk';
import type { VolumeDriver } from '@gantry/sdk/volume';
import type { Drivers } from '../drivers/index.ts';
import { failpoint } from '../support/index.ts';
import { named } from './refusals.ts';

/** Calls to one driver, and what its answers mean here. */

type Find = Pick<Drivers, 'get'>;

/** The driver that is to make a volume; one that is not there is told in Docker's words. */
export async function creatorOf(drivers: Find, driver: string, name: string): Promise<VolumeDriver> {
  try {
    return await drivers.get('volume', driver);
  } catch (error) {
    if (codeOf(error) !== 'not_found') throw error;
    const hint = GantryError.is(error) ? error.hint : undefined;
    throw notFound(`create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`, { cause: error, hint });
  }
}

/** A driver that does not know the volume any more is fine; with `force` one that is gone itself, too. */
export async function removeData(
  drivers: Find,
  driver: string,
  { name, force, ctx }: { readonly name: string; readonly force: boolean; readonly ctx: Ctx },
): Promise<void> {
  failpoint('volume.rm.plugin.call');
  try {
    const remover = await drivers.get('volume', driver);
    await remover.remove({ name, force }, ctx);
  } catch (error) {
    if (codeOf(error) === 'not_found' && (force || !(GantryError.is(error) && error.reason === 'DRIVER_NOT_FOUND'))) return;
    throw named(error, `remove ${name}`);
  }
}

/** Why the driver cannot show this volume; undefined when it can. */
export async function problemOf(drivers: Find, driver: string, name: string, ctx: Ctx): Promise<string | undefined> {
  try {
    const source = await drivers.get('volume', driver);
    await source.stat({ name }, ctx);
    return undefined;
  } catch (error) {
    return codeOf(error) === 'not_found' ? 'it has no such volume' : messageOf(error);
  }
}
