import { conflict, internal, invalidArgument } from '@gantry/sdk';
import type { TopResult } from '@gantry/sdk/engine';
import { run } from '@gantry/sdk/linux';
import type { Entry } from '../entry.ts';
import type { Room } from '../room.ts';

/** The host's ps, for the processes of the container only. `conflict` when it does not run; its arguments must let ps show a PID column. */
export async function topOf(room: Room, entry: Entry, psArguments = '-ef'): Promise<TopResult> {
  const { id, phase } = entry;
  if (phase.kind === 'restarting') throw conflict(`container ${id} is restarting, wait until the container is running`);
  if (phase.kind !== 'running') throw conflict(`container ${id} is not running`);
  const given = (psArguments || '-ef').split(/\s+/).filter(Boolean);
  const driver = await room.driver(entry);
  const [{ pids }, { exitCode, stdout, stderr }] = await Promise.all([
    driver.pids({ id }, room.context()),
    run({ file: 'ps', argv: ['ps', ...given], timeoutMs: 10_000 }),
  ]);
  room.announce(entry, 'top');
  if (exitCode !== 0) throw internal(`ps: ${stderr.toString('utf8').trim() || `ended with ${exitCode}`}`);
  return selectProcesses(stdout.toString('utf8'), new Set(pids));
}

/** ps's table, cut to these processes; the last column takes the rest of each line. */
export function selectProcesses(text: string, pids: ReadonlySet<number>): TopResult {
  const [header = '', ...lines] = text.trimEnd().split('\n');
  const titles = header.trim().split(/\s+/);
  const pidColumn = titles.indexOf('PID');
  if (pidColumn < 0) throw invalidArgument("couldn't find PID field in ps output");
  const processes = lines.map((line) => cells(line, titles.length)).filter((row) => pids.has(Number(row[pidColumn])));
  return { titles, processes };
}

function cells(line: string, count: number): readonly string[] {
  const words = line.trim().split(/\s+/);
  return words.length <= count ? words : [...words.slice(0, count - 1), words.slice(count - 1).join(' ')];
}
