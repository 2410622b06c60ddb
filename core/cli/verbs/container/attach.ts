import { conflict } from '@gantry/sdk/errors';
import { flag, text, value } from '../../option.ts';
import { report } from '../../report.ts';
import { checkTerminal, runSession } from '../../session/session.ts';
import { proxySignals } from '../../session/signals.ts';
import { exitStatus } from '../../session/status.ts';
import { followWindow } from '../../session/window.ts';
import { verb } from '../../verb.ts';

interface AttachFlags {
  /** False with --no-stdin. */
  readonly stdin: boolean;
  readonly sigProxy: boolean;
  readonly detachKeys?: string;
}

export const attach = verb<AttachFlags>({
  arguments: '<container>',
  options: [
    flag('--no-stdin', 'Do not attach stdin'),
    flag('--sig-proxy', 'Hand signals on to it (default: true; not with a terminal)').default(true),
    value('--detach-keys <keys>', 'Keys that leave it running: ctrl-p,ctrl-q', text),
  ],
  async action(context, [name = ''], flags) {
    const { containers } = await context.client();
    const { Id, State, Config } = await containers.inspect(name);
    if (!State.Running) throw conflict('a stopped container cannot be attached to', { hint: `start it: gantry start -a ${name}` });
    if (State.Paused) throw conflict('a paused container cannot be attached to', { hint: `gantry unpause ${name}` });
    if (State.Restarting) throw conflict('a restarting container cannot be attached to');
    const tty = Config.Tty === true;
    const stdin = flags.stdin && Config.OpenStdin === true;
    checkTerminal({ tty, stdin });
    const waiting = await containers.wait(Id);
    await using connection = await containers.attach(Id, { stdin, stdout: true, stderr: true, detachKeys: flags.detachKeys });
    using _signals = flags.sigProxy && !tty ? proxySignals(async (signal) => await containers.kill(Id, { signal })) : undefined;
    using _window = tty ? followWindow(async (size) => await containers.resize(Id, size)) : undefined;
    const end = await runSession(connection, { tty, stdin, detachKeys: flags.detachKeys });
    if (end === 'detached') return 0;
    const { status, problem } = exitStatus(await waiting.result);
    if (problem !== undefined) report(new Error(problem));
    return status;
  },
});
