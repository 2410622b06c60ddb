import { rmSync } from 'node:fs';
import { messageOf } from '@gantry/sdk';
import type { Room } from '../room.ts';
import type { ExecEntry } from './table.ts';

const keptMs = 5 * 60_000;

/** Records how an exec ended, once; it can be inspected for five minutes more. */
export async function endExec(room: Room, exec: ExecEntry, exitCode: number): Promise<void> {
  if (exec.phase.kind === 'ended') return;
  exec.phase = { kind: 'ended', exitCode };
  exec.ended.resolve(exitCode);
  setTimeout(() => room.execs.remove(exec.id), keptMs).unref();
  announceEnd(room, exec, exitCode);
  // Also when its container is gone: its monitor may have been made after that.
  await forget(room, exec);
}

function announceEnd(room: Room, { id, containerId }: ExecEntry, exitCode: number): void {
  if (!room.store.has(containerId)) return;
  const entry = room.store.find(containerId);
  entry.execIds.delete(id);
  room.store.touch(entry);
  room.announce(entry, 'exec_die', { execID: id, exitCode: String(exitCode) });
}

async function forget(room: Room, { id: execId, containerId: id, driver }: ExecEntry): Promise<void> {
  try {
    await (await room.driverNamed(driver)).execDelete({ id, execId }, room.context());
    rmSync(room.folders.execBundle(id, execId), { recursive: true, force: true });
  } catch (error) {
    room.parts.log.warn({ container: id, exec: execId, err: error }, `cannot forget exec ${execId}: ${messageOf(error)}`);
  }
}
