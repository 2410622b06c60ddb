import type { Abortable } from '@gantry/sdk';
import type { Rootfs } from './types.ts';
import type { Snapshot, Stack, Views } from './views.ts';
import type { Comparison } from './worker/protocol.ts';

export interface ComparingOptions extends Abortable {
  /** The whole tree of a snapshot whose driver cannot show changes alone; a view of it unless given. */
  readonly whole?: () => Promise<Rootfs>;
  /** `below` is to be shown as one tree. */
  readonly needsTreeBelow?: boolean;
}

/** Shows a snapshot and what lies below it for as long as `work` takes: its changes alone where the driver keeps them apart, else both whole trees. */
export async function comparing<T>(
  views: Views,
  snapshot: Snapshot,
  { whole, needsTreeBelow = false, signal }: ComparingOptions,
  work: (comparison: Comparison) => Promise<T>,
): Promise<T> {
  const hasChanges = (await views.driver(snapshot.driver)).features.includes('changes');
  await using lower = await showBelow(views, snapshot, { isWhole: needsTreeBelow || !hasChanges, signal });
  await using upper = hasChanges
    ? await views.show(snapshot, { readOnly: true, view: 'changes', signal })
    : await (whole?.() ?? views.show(snapshot, { readOnly: true, view: 'merged', signal }));
  return await work({ kind: hasChanges ? 'overlay' : 'trees', upper: upper.path, lower: lower.paths });
}

async function showBelow(
  views: Views,
  { driver, chain: [key, ...chain] }: Snapshot,
  { isWhole, signal }: { readonly isWhole: boolean } & Abortable,
): Promise<Stack> {
  if (key === undefined) return { paths: [], [Symbol.asyncDispose]: () => Promise.resolve() };
  if (!isWhole) return views.stack({ driver, key, chain }, { signal });
  const { path, ...shown } = await views.show({ driver, key, chain }, { readOnly: true, view: 'merged', signal });
  return { paths: [path], ...shown };
}
