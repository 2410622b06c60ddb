import type { Client } from '@gantry/sdk/client';
import { flag } from '../../option.ts';
import { report } from '../../report.ts';
import { writeAll } from '../../session/session.ts';
import type { Context } from '../../context.ts';
import { type Verb, verb } from '../../verb.ts';

export const buildLogs = verb({
  arguments: '<build>',
  notes: 'What it told, and what was wrong with it; of one that runs, until it ends.',
  async action(context, [build = '']) {
    const { builds } = await context.client();
    for await (const { stream = '' } of builds.logs(build)) await writeAll(process.stdout, Buffer.from(stream));
  },
});

export const removeBuilds: Verb = forEach('Its image stays.', (builds, build) => builds.remove(build));

export const keepBuilds = verb<{ readonly undo?: boolean }>({
  arguments: '<build...>',
  options: [flag('--undo', 'Let it go by and by, as others')],
  action: (context, names, { undo = false }) => eachOf(context, names, (builds, build) => builds.keep(build, !undo)),
});

type Change = (builds: Client['builds'], build: string) => Promise<void>;

function forEach(notes: string, change: Change): Verb {
  return verb({ arguments: '<build...>', notes, action: (context, names) => eachOf(context, names, change) });
}

/** Those that can be changed are, also when others cannot. */
async function eachOf(context: Context, names: readonly string[], change: Change): Promise<number> {
  const { builds } = await context.client();
  let code = 0;
  for (const name of names) {
    try {
      await change(builds, name);
      context.print(name);
    } catch (error) {
      code = Math.max(code, report(error));
    }
  }
  return code;
}
