import { invalidArgument } from '@gantry/sdk/errors';
import type { Client } from '@gantry/sdk/client';
import { usageReason } from '../../command.ts';
import { flag, text, value } from '../../option.ts';
import { report } from '../../report.ts';
import { checkTerminal, runSession } from '../../session/session.ts';
import { proxySignals } from '../../session/signals.ts';
import { exitStatus } from '../../session/status.ts';
import { followWindow } from '../../session/window.ts';
import { forEachTarget } from '../../targets.ts';
import { verb } from '../../verb.ts';

interface StartFlags {
  readonly attach?: boolean;
  readonly interactive?: boolean;
  readonly detachKeys?: string;
}

export const start = verb<StartFlags>({
  arguments: '<container...>',
  options: [
    flag('-a, --attach', 'Attach to its output, and hand signals on'),
    flag('-i, --interactive', 'Attach to its input too'),
    value('--detach-keys <keys>', 'Keys that leave it running: ctrl-p,ctrl-q', text),
  ],
  async action(context, names, flags) {
    const client = await context.client();
    const [first = ''] = names;
    if (flags.attach !== true && flags.interactive !== true) {
      return await forEachTarget(context, names, async (name) => {
        await client.containers.start(name);
        return name;
      });
    }
    if (names.length > 1) throw invalidArgument('only one container can be attached to at a time', { reason: usageReason });
    return await startAttached(client, first, flags);
  },
});

async function startAttached(client: Client, name: string, { interactive = false, detachKeys }: StartFlags): Promise<number> {
  const { containers } = client;
  const { Id, Config, HostConfig } = await containers.inspect(name);
  const tty = Config.Tty === true;
  const stdin = interactive && Config.OpenStdin === true;
  checkTerminal({ tty, stdin });
  await using connection = await containers.attach(Id, { stdin, stdout: true, stderr: true, detachKeys });
  const waiting = await containers.wait(Id, HostConfig.AutoRemove === true ? 'removed' : 'next-exit');
  using _signals = tty ? undefined : proxySignals(async (signal) => await containers.kill(Id, { signal }));
  const session = runSession(connection, { tty, stdin, detachKeys });
  session.catch(() => undefined);
  await containers.start(Id, { detachKeys });
  using _window = tty ? followWindow(async (size) => await containers.resize(Id, size)) : undefined;
  if ((await session) === 'detached') return 0;
  const { status, problem } = exitStatus(await waiting.result);
  if (problem !== undefined) report(new Error(problem));
  return status;
}
