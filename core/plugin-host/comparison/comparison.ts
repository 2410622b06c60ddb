import type { Ref, RefState } from '@gantry/sdk';
import { type Database, unsettledVolumes } from '../../metadata/index.ts';
import type { Link } from '../placements/link.ts';
import { refsOf, type Serves } from '../users.ts';

/** What a plugin and the records disagree about. */
export interface Comparison {
  /** The records have it, the plugin has not. */
  readonly missing: readonly RefState[];
  /** The plugin has it, nobody knows of it. */
  readonly orphans: readonly RefState[];
}

/** More than this a plugin need not tell: nobody reads it. */
const mostOrphans = 1_000;

/** Asks a running plugin about all that the records have of its drivers. What it says of others' objects, or of what came and went meanwhile, does not count. */
export async function compare(database: Database, serves: Serves, link: Link, signal: AbortSignal): Promise<Comparison> {
  const missing = new Map<string, RefState>();
  const orphans = new Map<string, RefState>();
  for await (const told of link.reconcile(each(refsOf(database, serves)), signal)) {
    if (told.state === 'missing') missing.set(refKey(told.ref), told);
    if (told.state === 'orphan' && isOf(serves, told.ref)) orphans.set(refKey(told.ref), told);
    if (orphans.size >= mostOrphans) break;
  }
  const known = knownRefs(database, serves);
  const unsettled = new Set(
    serves.flatMap(([contract, driver]) =>
      contract !== 'volume' ? [] : unsettledVolumes(database, driver).map((id) => refKey({ contract, driver, kind: 'volume', id })),
    ),
  );
  return {
    missing: [...missing].flatMap(([key, state]) => (known.has(key) ? [state] : [])),
    orphans: [...orphans].flatMap(([key, state]) => (known.has(key) || unsettled.has(key) ? [] : [state])),
  };
}

export function knownRefs(database: Database, serves: Serves): ReadonlySet<string> {
  return new Set(refsOf(database, serves).map(refKey));
}

export const refKey = ({ contract, driver, kind, id }: Ref): string => `${contract}/${driver} ${kind} ${id}`;

function isOf(serves: Serves, { contract, driver, id }: Ref): boolean {
  return id.length <= 1_024 && serves.some(([ownContract, ownDriver]) => ownContract === contract && ownDriver === driver);
}

async function* each(refs: readonly Ref[]): AsyncIterable<Ref> {
  yield* refs;
}
