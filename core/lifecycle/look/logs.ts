import { invalidArgument } from '@gantry/sdk';
import type { LogQuery, LogStream } from '@gantry/sdk/engine';
import type { Entry } from '../entry.ts';
import { loggedContainer } from '../logged.ts';
import type { Room } from '../room.ts';

export function readLogs(room: Room, entry: Entry, query: LogQuery): Promise<LogStream> {
  if (!query.stdout && !query.stderr) throw invalidArgument("must specify at least one of 'stdout' or 'stderr'");
  return room.parts.logs.query(loggedContainer(room, entry, entry.run?.streams.control), query, () => entry.isRunning);
}
