import { conflict } from '@gantry/sdk';
import type { Entry } from '../entry.ts';
import type { Room } from '../room.ts';

/** Tells the container's terminal its size. `conflict` when it does not run. */
export async function resizeTerminal(
  room: Room,
  entry: Entry,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): Promise<void> {
  if (entry.run === undefined) throw conflict(`container ${entry.id} is not running`);
  await (await room.driver(entry)).resize({ id: entry.id, rows, columns }, room.context());
  room.announce(entry, 'resize', { height: String(rows), width: String(columns) });
}
