import { GantryError } from '@gantry/sdk/errors';
import type { Client, Hijacked } from '@gantry/sdk/client';
import { type ContainerFlags, attachmentOf, containerOptions, mountNotes } from '../../container-options/index.ts';
import type { Context } from '../../context.ts';
import { flag, text, value } from '../../option.ts';
import { report } from '../../report.ts';
import { checkTerminal, runSession, type SessionEnd } from '../../session/session.ts';
import { proxySignals } from '../../session/signals.ts';
import { exitStatus, startFailureStatus } from '../../session/status.ts';
import { followWindow } from '../../session/window.ts';
import { verb } from '../../verb.ts';
import { createFrom } from './create.ts';

interface RunFlags extends ContainerFlags {
  readonly detach?: boolean;
  readonly detachKeys?: string;
  readonly sigProxy?: boolean;
}

export const run = verb<RunFlags>({
  arguments: '<image> [command...]',
  passThrough: true,
  options: [
    ...containerOptions(),
    flag('-d, --detach', 'Run in the background and print the id'),
    value('--detach-keys <keys>', 'Keys that leave it running: ctrl-p,ctrl-q', text),
    flag('--sig-proxy', 'Hand signals on to it (default: true; not with -t)').default(true),
  ],
  notes: `The exit code is the command's own; 125: it could not be started, 126: it cannot be executed, 127: it was not found.

  gantry run --rm -it busybox sh
  gantry run -d --name web -p 8080:80 -v site:/www busybox httpd -f -p 80 -h /www

${mountNotes}`,
  async action(context, [image = '', ...command], flags) {
    const attached = attachmentOf(flags, { detach: flags.detach === true });
    try {
      checkTerminal({ tty: flags.tty === true, stdin: attached.stdin });
      const client = await context.client();
      const id = await createFrom(context, client, { flags, image, command, attached });
      return flags.detach === true ? await runDetached(context, client, id) : await runAttached(client, id, flags);
    } catch (error) {
      report(error);
      return startFailureStatus(error);
    }
  },
});

async function runDetached(context: Context, client: Client, id: string): Promise<number> {
  await client.containers.start(id);
  context.print(id);
  return 0;
}

async function runAttached(client: Client, id: string, flags: RunFlags): Promise<number> {
  const attached = attachmentOf(flags, { detach: false });
  const tty = flags.tty === true;
  const { containers } = client;
  // Attached before it starts, so that no output is missed, and waited for before it starts, so that no exit is.
  await using connection = await containers.attach(id, { ...attached, detachKeys: flags.detachKeys });
  const waiting = await containers.wait(id, flags.rm === true ? 'removed' : 'next-exit');
  using _signals = flags.sigProxy === true && !tty ? proxySignals(async (signal) => await containers.kill(id, { signal })) : undefined;
  const session = beginSession(connection, { ...attached, tty, detachKeys: flags.detachKeys });
  try {
    await containers.start(id, { detachKeys: flags.detachKeys });
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw await afterFailedStart(client, id, flags, error);
  }
  using _window = tty ? followWindow(async (size) => await containers.resize(id, size)) : undefined;
  if ((await session) === 'detached') return 0;
  const { status, problem } = exitStatus(await waiting.result);
  if (problem !== undefined) report(new Error(problem));
  return status;
}

function beginSession(connection: Hijacked, options: Parameters<typeof runSession>[1]): Promise<SessionEnd> {
  const session = runSession(connection, options);
  session.catch(() => undefined);
  return session;
}

/** With --rm the engine removes what exits; what never ran is ours to remove. */
async function afterFailedStart(client: Client, id: string, { rm }: RunFlags, error: unknown): Promise<unknown> {
  if (rm === true)
    await client.containers
      .remove(id, { force: true, volumes: true })
      .catch((failure: unknown) => (GantryError.is(failure) ? undefined : failure));
  return error;
}
