import type { Client } from '@gantry/sdk/client';
import { flag, list, text, value } from '../../option.ts';
import { parseEnv, readEnvFile } from '../../parse/env.ts';
import { report } from '../../report.ts';
import { checkTerminal, runSession } from '../../session/session.ts';
import { startFailureStatus } from '../../session/status.ts';
import { followWindow, windowSize } from '../../session/window.ts';
import { verb } from '../../verb.ts';

interface ExecFlags {
  readonly detach?: boolean;
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly env: readonly (readonly string[])[];
  readonly envFile: readonly (readonly string[])[];
  readonly user?: string;
  readonly workdir?: string;
  readonly privileged?: boolean;
  readonly detachKeys?: string;
}

export const exec = verb<ExecFlags>({
  arguments: '<container> <command> [arguments...]',
  passThrough: true,
  options: [
    flag('-d, --detach', 'Run it in the background'),
    flag('-i, --interactive', 'Attach stdin'),
    flag('-t, --tty', 'Give it a terminal'),
    list('-e, --env <key=value>', 'Environment variable', (given) => parseEnv(given)),
    list('--env-file <file>', 'Environment variables, one per line', (given) => readEnvFile(given)),
    value('-u, --user <user[:group]>', 'Who to run as', text),
    value('-w, --workdir <path>', 'Working directory inside', text),
    flag('--privileged', 'Everything that root may do here'),
    value('--detach-keys <keys>', 'Keys that leave it running: ctrl-p,ctrl-q', text),
  ],
  notes: "The exit code is the command's own; 126: it cannot be executed, 127: it was not found.",
  async action(context, [container = '', ...command], flags) {
    const tty = flags.tty === true;
    const stdin = flags.interactive === true && flags.detach !== true;
    checkTerminal({ tty, stdin });
    const client = await context.client();
    const env = [...flags.envFile, ...flags.env].flat();
    const { Id } = await client.execs.create(container, {
      Cmd: command,
      Tty: tty,
      AttachStdin: stdin,
      AttachStdout: flags.detach !== true,
      AttachStderr: flags.detach !== true,
      ...(env.length === 0 ? {} : { Env: env }),
      ...(flags.user === undefined ? {} : { User: flags.user }),
      ...(flags.workdir === undefined ? {} : { WorkingDir: flags.workdir }),
      ...(flags.privileged === true ? { Privileged: true } : {}),
      ...(flags.detachKeys === undefined ? {} : { DetachKeys: flags.detachKeys }),
    });
    if (flags.detach !== true) return await runAttached(client, Id, { tty, stdin, detachKeys: flags.detachKeys });
    await client.execs.startDetached(Id);
    return 0;
  },
});

async function runAttached(
  { execs }: Client,
  id: string,
  { tty, stdin, detachKeys }: { readonly tty: boolean; readonly stdin: boolean; readonly detachKeys: string | undefined },
): Promise<number> {
  const size = windowSize();
  try {
    await using connection = await execs.start(id, { tty, size: size && [size.rows, size.columns] });
    using _window = tty ? followWindow(async (now) => await execs.resize(id, now)) : undefined;
    const end = await runSession(connection, { tty, stdin, detachKeys });
    if (end === 'detached') return 0;
  } catch (error) {
    report(error);
    const status = startFailureStatus(error);
    return status === 125 ? 1 : status;
  }
  return (await execs.inspect(id)).ExitCode ?? 0;
}
