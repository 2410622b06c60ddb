import { flag, value } from '../../option.ts';
import { parseInteger } from '../../parse/integer.ts';
import { parseTime } from '../../parse/time.ts';
import { writeAll } from '../../session/session.ts';
import { verb } from '../../verb.ts';

interface LogsFlags {
  readonly follow?: boolean;
  readonly timestamps?: boolean;
  readonly details?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly tail: string;
}

export const logs = verb<LogsFlags>({
  arguments: '<container>',
  options: [
    flag('-f, --follow', 'Go on as it writes'),
    flag('-t, --timestamps', 'With the time of each line'),
    flag('--details', 'With the extra attributes of the log'),
    value('--since <time>', 'From then on: 10m, 2026-01-31T12:00:00Z, unix seconds', (given) => parseTime(given)),
    value('--until <time>', 'Until then', (given) => parseTime(given)),
    value('-n, --tail <lines>', 'The last lines only', parseTail).default('all'),
  ],
  async action(context, [name = ''], flags) {
    const { containers } = await context.client();
    const { Id, Config } = await containers.inspect(name);
    const output = await containers.logs(Id, { tty: Config.Tty === true, stdout: true, stderr: true, ...flags });
    for await (const { source, data } of output) await writeAll(source === 'stdout' ? process.stdout : process.stderr, data);
  },
});

function parseTail(given: string): string {
  return given === 'all' || given === '-1' ? 'all' : String(parseInteger(0)(given));
}
