import { conflict } from '@gantry/sdk';
import type { Attached } from '@gantry/sdk/engine';
import { failpoint } from '../../support/index.ts';
import type { Entry } from '../entry.ts';
import { ClientStream, openStream } from '../io/streams.ts';
import type { Room } from '../room.ts';
import { startExitCode } from '../start/failure.ts';
import { checkCanExec } from './create.ts';
import { endExec } from './end.ts';
import { execProcess } from './process.ts';
import type { ExecEntry } from './table.ts';

export interface StartExecOptions {
  readonly detach: boolean;
  readonly tty?: boolean;
  readonly size?: { readonly rows: number; readonly columns: number };
  readonly onAccepted?: () => void;
  readonly signal?: AbortSignal | undefined;
}

/** Runs it: attached, its output is complete from the first byte; detached, it is thrown away. `conflict` when it was started before. */
export async function startExec(room: Room, exec: ExecEntry, options: StartExecOptions): Promise<{ readonly attached?: Attached }> {
  const entry = room.store.find(exec.containerId);
  if (exec.phase.kind === 'ended') throw conflict(`exec ${exec.id} has already run`);
  if (exec.isStarted) throw conflict(`exec ${exec.id} is already running`);
  checkCanExec(entry);
  exec.isStarted = true;
  try {
    return options.detach ? await startDetached(room, entry, exec) : await startAttached(room, entry, exec, options);
  } catch (error) {
    await endExec(room, exec, startExitCode(error));
    throw error;
  }
}

async function startDetached(room: Room, entry: Entry, exec: ExecEntry): Promise<Record<string, never>> {
  const driver = await room.driver(entry);
  room.announce(entry, `exec_start: ${exec.config.cmd.join(' ')}`, { execID: exec.id });
  const { pid, streams } = await driver.exec(await execRequest(room, entry, exec, { detached: true }), room.context());
  if (exec.phase.kind === 'created') exec.phase = { kind: 'running', pid, streams };
  return {};
}

async function startAttached(
  room: Room,
  entry: Entry,
  exec: ExecEntry,
  { size, signal, onAccepted }: StartExecOptions,
): Promise<{ readonly attached: Attached }> {
  const driver = await room.driver(entry);
  const id = { id: entry.id, execId: exec.id };
  const { streams } = await driver.exec(await execRequest(room, entry, exec, { detached: false, ...(size && { size }) }), room.context());
  const {
    attachStdin: stdin = false,
    attachStdout: stdout = false,
    attachStderr: stderr = false,
    detachKeys = '',
    tty = false,
  } = exec.config;
  const socket = openStream(streams.attachSocket ?? '', signal);
  await using undo = new AsyncDisposableStack();
  const stream = undo.use(new ClientStream(socket, { stdin, stdout, stderr, detachKeys, tty }, exec.ended.promise));
  await socket;
  onAccepted?.();
  room.announce(entry, `exec_start: ${exec.config.cmd.join(' ')}`, { execID: exec.id });
  failpoint('exec.start');
  const { pid } = await driver.execStart(id, room.context());
  if (exec.phase.kind === 'created') exec.phase = { kind: 'running', pid, streams };
  undo.move();
  return { attached: stream };
}

async function execRequest(
  room: Room,
  entry: Entry,
  { id, config }: ExecEntry,
  { detached, size }: { readonly detached: boolean; readonly size?: { readonly rows: number; readonly columns: number } },
) {
  const bundle = room.folders.execBundle(entry.id, id);
  const wanted = size ?? config.size;
  const consoleSize = wanted && ([wanted.rows, wanted.columns] as const);
  return {
    id: entry.id,
    execId: id,
    bundle,
    process: await execProcess(entry, config, room.parts.defaults, consoleSize),
    spoolDir: bundle,
    tty: config.tty === true,
    openStdin: config.attachStdin === true,
    detached,
  };
}
