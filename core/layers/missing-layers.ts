import { randomId } from '../support/index.ts';
import type { Chains } from './chains.ts';
import type { EarlyLayers } from './early-layers.ts';
import type { LayerSource } from './layer-unpacking.ts';
import type { Missing } from './stacking.ts';

interface MissingOptions {
  /** Of the stacks, the lowest layer first. */
  readonly chainIds: readonly (readonly string[])[];
  readonly graphDriver: string;
  readonly early?: EarlyLayers;
}

/** Which layers of these stacks are not there yet, parents first, each once and with the key of a snapshot that is to be its own. */
export function missingOf(
  chains: Chains,
  stacks: readonly (readonly LayerSource[])[],
  { chainIds, graphDriver, early: earlyLayers }: MissingOptions,
): readonly Missing[] {
  const missing = new Map<string, Missing>();
  for (const [at, stack] of stacks.entries()) {
    let keys: readonly string[] = [];
    // A layer is of the driver that has those below it: no driver shows another one's snapshots.
    const driver = chainIds[at]?.map((chainId) => chains.get(chainId)?.driver).find((known) => known !== undefined) ?? graphDriver;
    for (const [depth, source] of stack.entries()) {
      const chainId = chainIds[at]?.[depth] ?? '';
      const parent = depth === 0 ? undefined : chainIds[at]?.[depth - 1];
      let key = chains.get(chainId)?.key ?? missing.get(chainId)?.key;
      if (key === undefined) {
        const early = earlyLayers?.take(driver, source.blob.digest);
        key = early?.key ?? randomId();
        missing.set(chainId, { chainId, parent, source, key, driver, chain: keys, early });
      }
      keys = [key, ...keys];
    }
  }
  return [...missing.values()];
}
