import type { GraphDriver } from '../graph/index.ts';
import type { Drivers, Ref, RefState } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import type { VolumeDriver } from '../volume/index.ts';

/**
 * What the engine believes in, against what the drivers list: for a plugin that does not compare by itself. What no list shows is taken to be
 * well.
 */
export async function* compareByList(drivers: Drivers, refs: AsyncIterable<Ref>, ctx: Ctx): AsyncGenerator<RefState> {
  const lists = await listsOf(drivers, ctx);
  for await (const ref of refs) {
    const { left, all } = lists.get(listKey(ref)) ?? {};
    left?.delete(ref.id);
    const isThere = all?.has(ref.id) !== false;
    yield { ref, state: isThere ? 'ok' : 'missing', detail: isThere ? '' : `${ref.kind} ${ref.id} is not in the driver's list` };
  }
  for (const { contract, driver, kind, left } of lists.values()) {
    for (const id of left) yield { ref: { contract, driver, kind, id }, state: 'orphan', detail: 'the engine does not know it' };
  }
}

interface Listed extends Omit<Ref, 'id'> {
  readonly all: ReadonlySet<string>;
  /** Not asked for yet. */
  readonly left: Set<string>;
}

const listKey = ({ contract, driver, kind }: Omit<Ref, 'id'>): string => `${contract}/${driver} ${kind}`;

async function listsOf({ volume = {}, graph = {} }: Drivers, ctx: Ctx): Promise<ReadonlyMap<string, Listed>> {
  const lists = new Map<string, Listed>();
  const add = async (of: Omit<Ref, 'id'>, ids: AsyncIterable<string>): Promise<void> => {
    const all = new Set(await Array.fromAsync(ids));
    lists.set(listKey(of), { ...of, all, left: new Set(all) });
  };
  for (const [driver, volumes] of Object.entries(volume)) await add({ contract: 'volume', driver, kind: 'volume' }, namesOf(volumes, ctx));
  for (const [driver, snapshots] of Object.entries(graph))
    await add({ contract: 'graph', driver, kind: 'snapshot' }, keysOf(snapshots, ctx));
  return lists;
}

async function* namesOf(driver: VolumeDriver, ctx: Ctx): AsyncGenerator<string> {
  for await (const { name } of driver.list({}, ctx)) yield name;
}

async function* keysOf(driver: GraphDriver, ctx: Ctx): AsyncGenerator<string> {
  for await (const { key } of driver.list({}, ctx)) yield key;
}
