import { GantryError } from '@gantry/sdk';
import type { Ctx } from '@gantry/sdk';
import type { GraphDriver } from '@gantry/sdk/graph';

/** Removes everything a driver has: what lies on others first, which the driver itself tells. */
export async function removeSnapshots(driver: GraphDriver, ctx: Ctx): Promise<void> {
  for (;;) {
    const keys = (await Array.fromAsync(driver.list({}, ctx))).map(({ key }) => key);
    if (keys.length === 0) return;
    let refused: unknown;
    let removed = 0;
    for (const key of keys) {
      try {
        await driver.remove({ key }, ctx);
        removed += 1;
      } catch (error) {
        if (!GantryError.is(error) || error.code !== 'conflict') throw error;
        refused = error;
      }
    }
    if (removed === 0) throw refused;
  }
}
