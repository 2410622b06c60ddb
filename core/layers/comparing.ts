import type { Abortable } from '@gantry/sdk';
import type { Rootfs } from './types.ts';
import type { Snapshot, Views } from './views.ts';
import type { Comparison } from './worker/protocol.ts';

export interface ComparingOptions extends Abortable {
  /** The whole tree of a snapshot whose driver cannot show changes alone; a view of it unless given. */
  readonly whole?: () => Promise<Rootfs>;
}

/** Shows a snapshot and what lies below it for as long as `work` takes: its changes alone where the driver keeps them apart, else both whole trees. */
export async function comparing<T>(
  views: Views,
  snapshot: Snapshot,
  { whole, signal }: ComparingOptions,
  work: (comparison: Comparison) => Promise<T>,
): Promise<T> {
  const { driver, chain } = snapshot;
  const hasChanges = (await views.driver(driver)).features.includes('changes');
  const [parent, ...below] = chain;
  const merged = { readOnly: true, view: 'merged', signal } as const;
  await using lower = parent === undefined ? undefined : await views.show({ driver, key: parent, chain: below }, merged);
  await using upper = hasChanges
    ? await views.show(snapshot, { ...merged, view: 'changes' })
    : await (whole?.() ?? views.show(snapshot, merged));
  return await work({ kind: hasChanges ? 'overlay' : 'trees', upper: upper.path, lower: lower?.path });
}
