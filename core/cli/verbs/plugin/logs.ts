import type { PluginLine } from '@gantry/sdk/engine';
import { flag, value } from '../../option.ts';
import { parseInteger } from '../../parse/integer.ts';
import { verb } from '../../verb.ts';
import { naming } from './naming.ts';

interface Flags {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly timestamps?: boolean;
}

export const pluginLogs = verb<Flags>({
  arguments: '<plugin>',
  options: [
    flag('-f, --follow', 'Go on as it prints'),
    value('-n, --tail <lines>', 'The last lines only', parseInteger(0)),
    flag('-t, --timestamps', 'With the time of each line'),
  ],
  notes: `Its stdout to stdout, its stderr to stderr, and what the engine has to say of it, as "engine: …", to stderr too.

  gantry plugin logs -f acme.nfs
  gantry plugin logs -n 50 -t acme.nfs`,
  async action(context, [name = ''], { follow = false, tail, timestamps = false }) {
    const { plugins } = await context.client();
    const { name: its } = await naming(plugins, plugins.inspect(name));
    for await (const line of plugins.logs(its, { follow, tail })) {
      const write = line.source === 'stdout' ? context.print : context.note;
      write(`${timestamps ? `${line.time.toISOString()} ` : ''}${showLine(line)}`);
    }
  },
});

export function showLine({ source, line }: PluginLine): string {
  return source === 'engine' ? `engine: ${line}` : line;
}
