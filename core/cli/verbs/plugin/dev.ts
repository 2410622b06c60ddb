import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@gantry/sdk/client';
import { codeOf, invalidArgument } from '@gantry/sdk/errors';
import type { Context } from '../../context.ts';
import { flag, text, value } from '../../option.ts';
import { verb } from '../../verb.ts';
import { changes } from './dev/changes.ts';
import { Workbench } from './dev/workbench.ts';
import { showLine } from './logs.ts';
import { grantOption } from './privileges.ts';

interface Flags {
  readonly alias?: string;
  readonly grantAllPermissions?: boolean;
  readonly rm?: boolean;
}

const again = 500;

export const devPlugin = verb<Flags>({
  arguments: '<folder>',
  options: [
    value('--alias <name>', 'Call it so, beside an installed one of the same name', text),
    grantOption,
    flag('--rm', 'Remove it at the end'),
  ],
  notes: `Installs the plugin from the folder and watches it. After each change the folder's new content starts as a new generation beside the old one and takes
over when it is ready; when the manifest is wrong or it does not start, it says why and the old generation goes on. What the plugin prints is shown.
If it has to be built, let the compiler watch too: tsc --watch, esbuild --watch. Ctrl-C ends it.

  gantry plugin dev .
  gantry plugin dev --alias nfs-dev --rm ./nfs`,
  async action(context, [given = ''], { alias, grantAllPermissions: grantAll = false, rm = false }) {
    const folder = resolve(given);
    const { address, plugins } = await context.client();
    if (address.kind !== 'unix') {
      throw invalidArgument('the engine is on another machine, and does not see the folder', { hint: 'run this where the engine is' });
    }
    using stop = untilSignal();
    const bench = new Workbench(context, plugins, { folder, alias, grantAll });
    if (!(await bench.open())) return 1;
    const shown = showOutput(context, plugins, { name: bench.name, signal: stop.signal });
    context.note(`dev: watching ${folder}; Ctrl-C ends it`);
    for await (const _change of changes(folder, stop)) await bench.renew();
    await shown;
    if (rm) await plugins.remove(bench.name, { force: true });
    else context.note(`dev: ${bench.name} stays installed; gantry plugin rm -f ${bench.name} removes it`);
    return 0;
  },
});

function untilSignal(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return { signal: controller.signal, [Symbol.dispose]: () => void process.off('SIGINT', stop).off('SIGTERM', stop) };
}

/** What all generations print, from now on. */
async function showOutput(
  context: Context,
  plugins: Client['plugins'],
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<void> {
  let since = new Date(0);
  while (!signal.aborted) {
    try {
      // The stream may end with a generation: what comes again was shown.
      const shownUntil = since;
      for await (const line of plugins.logs(name, { follow: true, signal })) {
        since = line.time;
        if (line.time > shownUntil) (line.source === 'stdout' ? context.print : context.note)(`${name} | ${showLine(line)}`);
      }
      await delay(again, undefined, { signal });
    } catch (error) {
      if (codeOf(error) === 'cancelled' || signal.aborted) return;
      context.note(`dev: its output cannot be shown: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
  }
}
