import { invalidArgument, messageOf } from '@gantry/sdk';
import type { Filters, PruneResult } from '@gantry/sdk/engine';
import type { Entry } from '../entry.ts';
import { containerFilter } from '../list-filters.ts';
import { momentOf } from '../../support/index.ts';
import { filterFacts } from '../look/list.ts';
import type { Room } from '../room.ts';
import { removeContainer } from './remove.ts';

const known = ['until', 'label', 'label!'];

/** Removes every container that does not run and passes the filters; what cannot be removed is left and logged. */
export async function pruneContainers(room: Room, filters: Filters = {}): Promise<PruneResult> {
  for (const key of Object.keys(filters)) if (!known.includes(key)) throw invalidArgument(`invalid filter '${key}'`);
  const { until, ...labels } = filters;
  const before = until === undefined ? undefined : onlyMoment(until);
  const passes = containerFilter(labels, filterFacts(room));
  const deleted: string[] = [];
  let spaceReclaimed = 0;
  for (const entry of room.store.all()) {
    if (!isOver(entry) || !passes(room.store.view(entry))) continue;
    if (before !== undefined && Date.parse(entry.document.created) >= before) continue;
    const { rw } = await room.parts.layers.size(entry.id).catch(() => ({ rw: 0 }));
    try {
      await removeContainer(room, entry);
    } catch (error) {
      room.parts.log.warn({ container: entry.id, err: error }, `prune leaves container ${entry.id}: ${messageOf(error)}`);
      continue;
    }
    deleted.push(entry.id);
    spaceReclaimed += rw;
  }
  return { deleted, spaceReclaimed };
}

function isOver({ phase }: Entry): boolean {
  return phase.kind === 'created' || phase.kind === 'exited' || phase.kind === 'dead';
}

/** In Docker's words when it is none, or when there are more. */
function onlyMoment([text, ...others]: readonly string[]): number | undefined {
  if (text === undefined) return undefined;
  if (others.length > 0) throw invalidArgument('more than one until filter specified');
  const moment = momentOf(text);
  if (moment === undefined) throw invalidArgument(`failed to parse value as time or duration: ${JSON.stringify(text.slice(0, 80))}`);
  return moment;
}
