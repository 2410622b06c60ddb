import { processStartTime } from '@gantry/sdk/linux';
import type { RuntimeCommand } from '@gantry/sdk/exec';
import { failpoint } from '../../support/index.ts';
import type { Entry } from '../entry.ts';
import type { ContainerDocument, Run } from '../model.ts';
import type { Room } from '../room.ts';
import { expectCgroupMoves } from './cgroup-moves.ts';

export type CreatedProcess = Pick<Run, 'pid' | 'pidStartTime' | 'monitorPid' | 'streams'>;

/** Has the driver make the container's init, which waits. `command` is what another driver described, of a container that is new. */
export async function createProcess(
  room: Room,
  entry: Entry,
  { undo, command }: { readonly undo: AsyncDisposableStack; readonly command?: RuntimeCommand | undefined },
): Promise<CreatedProcess> {
  const { id, document } = entry;
  const { config } = document;
  const driver = await room.driver(entry);
  const spool = room.parts.logs.spool(id);
  failpoint('start.monitor.spawn');
  using _moves = expectCgroupMoves();
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
      ...runtimeOf(document),
      ...(command && { command }),
    },
    room.context(),
  );
  failpoint('start.runtime.create');
  return { pid, monitorPid, streams, pidStartTime: processStartTime(pid) ?? 0 };
}

/** What the user chose as runtime is the driver's own name for one, unless it is the name of a driver. */
function runtimeOf({ hostConfig: { Runtime }, exec }: ContainerDocument): { readonly runtime?: string } {
  return !Runtime || Runtime === exec?.driver || Runtime === exec?.describedBy ? {} : { runtime: Runtime };
}
