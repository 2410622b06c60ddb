import { codeOf, GantryError, invalidArgument } from '@gantry/sdk';
import type { ExecInfo } from '@gantry/sdk/engine';
import { createExec, startExec as startBody } from '../bodies/container.ts';
import { withoutAbsent } from '../http/absent.ts';
import type { Call } from '../http/call.ts';
import type { HijackCall } from '../streams/hijack.ts';
import type { Peer } from '../streams/peer.ts';
import { plainHijack } from '../streams/plain-hijack.ts';
import { textOf } from '../status.ts';
import { sizeOf } from './containers/resize.ts';
import { get, post, type Route } from './route.ts';

export const execRoutes: readonly Route[] = [
  post('/containers/:id/exec', create),
  post('/exec/:id/start', (call) => startExec(plainHijack(call))),
  post('/exec/:id/resize', async (call) => {
    await call.engine.execs.resize(call.param('id'), sizeOf(call));
    call.sendNothing(200);
  }),
  get('/exec/:id/json', (call) => call.send(execDocument(call.engine.execs.inspect(call.param('id'))))),
];

async function create(call: Call): Promise<void> {
  const body = await call.json(createExec);
  const [rows = 0, columns = 0] = call.version < 42 ? [] : (body.ConsoleSize ?? []);
  if ((body.Cmd ?? []).length === 0) throw invalidArgument('No exec command specified');
  const { id } = await call.engine.execs.create(
    call.param('id'),
    withoutAbsent({
      cmd: body.Cmd ?? [],
      env: body.Env,
      user: body.User,
      workingDir: body.WorkingDir,
      privileged: body.Privileged,
      tty: body.Tty,
      attachStdin: body.AttachStdin,
      attachStdout: body.AttachStdout,
      attachStderr: body.AttachStderr,
      detachKeys: body.DetachKeys,
      size: rows > 0 && columns > 0 ? { rows, columns } : undefined,
    }),
  );
  call.send({ Id: id }, 201);
}

/**
 * The head is sent when the request is accepted and the command does not run yet: what is wrong with the request is an ordinary error answer.
 * What is wrong with the command is text in the stream, as the docker CLI expects: it shows the text and takes the exit code from the exec's
 * state.
 */
export async function startExec(call: HijackCall): Promise<void> {
  const { Detach: detach = false, Tty: tty = false, ConsoleSize } = await call.json(startBody, {});
  const size = call.version < 42 ? undefined : ConsoleSize;
  if (size !== undefined && !tty) throw invalidArgument('console size is only supported when a terminal is allocated');
  const { config } = call.engine.execs.inspect(call.id);
  const peer = accepting(call, config.tty ?? false);
  const options = {
    detach,
    tty,
    ...(size === undefined ? {} : { size: { rows: size[0], columns: size[1] } }),
    onAccepted: () => void peer.get(),
    signal: call.signal,
  };
  const started = await call.engine.execs.start(call.id, options).catch((error: unknown) => {
    if (detach || !(peer.isAccepted() || isOfTheCommand(error))) throw error;
    return { failed: error };
  });
  if ('failed' in started) {
    await peer.get().write('stdout', Buffer.from(`${textOf(started.failed)}\r\n`));
    peer.get().close();
  } else if (started.attached === undefined) call.sendNothing(200);
  else await peer.get().join(started.attached, { stdin: config.attachStdin ?? false });
}

/** The far end, to which the connection is switched over at the first question for it. */
function accepting(call: HijackCall, tty: boolean): { readonly get: () => Peer; readonly isAccepted: () => boolean } {
  let peer: Peer | undefined;
  return { get: () => (peer ??= call.accept({ tty })), isAccepted: () => peer !== undefined };
}

const refusals = new Set(['invalid_argument', 'not_found', 'conflict', 'aborted', 'cancelled', 'unavailable']);

function isOfTheCommand(error: unknown): boolean {
  return (GantryError.is(error) && error.reason?.startsWith('COMMAND_') === true) || !refusals.has(codeOf(error));
}

function execDocument({ id, containerId, config, running, exitCode, pid, canRemove }: ExecInfo) {
  const [entrypoint = '', ...commandArguments] = config.cmd;
  return {
    ID: id,
    Running: running,
    ExitCode: exitCode,
    ProcessConfig: {
      tty: config.tty ?? false,
      entrypoint,
      arguments: commandArguments,
      privileged: config.privileged ?? false,
      ...(config.user === undefined || config.user === '' ? {} : { user: config.user }),
    },
    OpenStdin: config.attachStdin ?? false,
    OpenStderr: config.attachStderr ?? false,
    OpenStdout: config.attachStdout ?? false,
    CanRemove: canRemove,
    ContainerID: containerId,
    DetachKeys: config.detachKeys ?? '',
    Pid: pid,
  };
}
