import { conflict, invalidArgument } from '@gantry/sdk';
import type { ExecConfig } from '@gantry/sdk/engine';
import { randomId } from '../../support/index.ts';
import type { Entry } from '../entry.ts';
import type { Room } from '../room.ts';
import { expectCgroupMove } from '../start/cgroup-moves.ts';
import { checkUser, checkVariable, checkWorkingDirectory } from '../validate/index.ts';
import { execUser } from './process.ts';
import { ExecEntry } from './table.ts';

/** Keeps what is to be run; nothing runs yet. The user is looked up now, so that a wrong one is told to who asks. */
export async function createExec(
  room: Room,
  entry: Entry,
  config: ExecConfig,
  { isProbe = false }: { readonly isProbe?: boolean } = {},
): Promise<ExecEntry> {
  if (config.cmd.length === 0) throw invalidArgument('No exec command specified');
  checkCanExec(entry);
  if (!isProbe) checkRoom(room, entry);
  expectCgroupMove();
  for (const variable of config.env ?? []) checkVariable(variable);
  checkWorkingDirectory(config.workingDir ?? '');
  checkUser(config.user ?? '');
  await execUser(entry, config);
  checkCanExec(entry);
  if (!isProbe) checkRoom(room, entry);
  const exec = new ExecEntry({ id: randomId(), containerId: entry.id, config, driver: room.driverName(entry) });
  room.execs.add(exec);
  entry.execIds.add(exec.id);
  room.store.touch(entry);
  room.announce(entry, `exec_create: ${config.cmd.join(' ')}`, { execID: exec.id });
  return exec;
}

const mostExecs = 256;
const forgottenAfterMs = 5 * 60e3;

/** Each one that runs is a process with a monitor, and each that waits is kept in memory. */
function checkRoom({ execs }: Room, { id, execIds }: Entry): void {
  const count = execs.countWaiting(execIds, forgottenAfterMs);
  for (const execId of execIds) if (execs.known(execId) === undefined) execIds.delete(execId);
  if (count < mostExecs) return;
  throw conflict(`container ${id} has ${mostExecs} execs that have not ended: there cannot be more`, {
    hint: 'wait until some have ended; those that nobody starts are forgotten after five minutes',
  });
}

export function checkCanExec({ id, phase, isPaused }: Entry): void {
  if (isPaused) throw conflict(`container ${id} is paused, unpause the container before exec`);
  if (phase.kind === 'restarting') throw conflict(`container ${id} is restarting, wait until the container is running`);
  if (phase.kind !== 'running') throw conflict(`container ${id} is not running`);
}
