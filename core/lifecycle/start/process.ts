import { processStartTime } from '@gantry/sdk/linux';
import { failpoint } from '../../support/index.ts';
import type { Entry } from '../entry.ts';
import type { Run } from '../model.ts';
import type { Room } from '../room.ts';

export type CreatedProcess = Pick<Run, 'pid' | 'pidStartTime' | 'monitorPid' | 'streams'>;

/** Has the driver make the container's init, which waits. */
export async function createProcess(room: Room, entry: Entry, undo: AsyncDisposableStack): Promise<CreatedProcess> {
  const { id, document } = entry;
  const { config, hostConfig } = document;
  const driver = await room.driver();
  const spool = room.parts.logs.spool(id);
  failpoint('start.monitor.spawn');
  undo.defer(() => driver.delete({ id, force: true }, room.context()));
  const { pid, monitorPid, streams } = await driver.create(
    {
      id,
      bundle: room.folders.bundle(id),
      spoolDir: spool.dir,
      spoolMaxBytes: spool.maxBytes,
      tty: config.Tty === true,
      openStdin: config.OpenStdin === true,
      // A terminal is left and joined again: its input never ends with a client.
      stdinOnce: config.StdinOnce === true && config.Tty !== true,
      ...(hostConfig.Runtime && { runtime: hostConfig.Runtime }),
    },
    room.context(),
  );
  failpoint('start.runtime.create');
  return { pid, monitorPid, streams, pidStartTime: processStartTime(pid) ?? 0 };
}
