import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type ConformancePlacement,
  mountingWorld,
  type Outcome,
  planConformance,
  readManifest,
  runConformance,
} from '../conformance/index.ts';
import { invalidArgument } from '../errors.ts';
import { checkEntry } from './entry.ts';
import { inOwnNamespaces } from './own-namespaces.ts';
import { type Report, reports } from './report.ts';
import type { Command } from './main.ts';

/** Runs the named cases of every driver of a plugin. */
export const conformanceCommand: Command = {
  summary: 'prove that a plugin keeps its contracts, case by case',
  help: `Usage: gantry-sdk conformance [DIR] [--only PATTERN]… [--placement LIST] [--report line|json|junit|md] [--mounts] [--chaos] [--list]

Starts the plugin in DIR (here, unless given) once for each case, over empty state and an empty data folder, and tells how the case
ended, one line each. Needs neither root nor an engine: what a driver describes is looked at, not executed, unless --mounts is given.

  --only PATTERN     cases by name, * stands for anything: 'volume.create.*'. May be given again
  --placement LIST   where the plugin runs: in-process, worker, process; several by commas. A program of its own (entry.exec) runs
                     in process only; a Node module in-process unless told otherwise, with --chaos in process
  --report FORMAT    line (default) as they come; json, junit or md when all are done, on standard output
  --mounts           make the described mounts for real, in namespaces of their own (bind, overlay, tmpfs; needs root)
  --socket ADDRESS   a plugin that you run yourself, in any language or debugger, at unix:///path; DIR has its manifest. Started with
                     GANTRY_PLUGIN=1 GANTRY_PLUGIN_ENDPOINT=ADDRESS GANTRY_PLUGIN_TOKEN=TOKEN, and the same --token TOKEN here. It is not
                     started again: what needs that is skipped
  --token TOKEN      of --socket
  --chaos            the cases chaos.* too: a proxy stands before the plugin, in a process of its own, that delays, loses, repeats, truncates and
                     reorders its calls; the driver must stay consistent
  --list             name the cases and run none

Options that a driver needs are made up from the manifest's schema; "examples" there say what real ones look like. Where that is not
enough, conformance.json in DIR says it: { "settings": { … }, "volume": { "options": { "base": { "server": "127.0.0.1" } } } }

Exit code: 0 nothing failed, 1 a case failed, 2 the command makes no sense.

  gantry-sdk conformance . --only 'volume.*'
  gantry-sdk conformance . --chaos --only 'chaos.*'
  gantry-sdk conformance . --report junit > conformance.xml
  gantry-sdk conformance . --socket unix:///tmp/nfs.sock --token secret
`,
  async run(argv) {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true },
        placement: { type: 'string' },
        report: { type: 'string', default: 'line' },
        mounts: { type: 'boolean', default: false },
        chaos: { type: 'boolean', default: false },
        socket: { type: 'string' },
        token: { type: 'string', default: '' },
        list: { type: 'boolean' },
      },
    });
    const report = reports[values.report] ?? unknownReport(values.report);
    const placements = values.placement?.split(',').map(placementOf);
    const only = (values.only ?? []).flatMap((pattern) => pattern.split(','));
    if (positionals.length > 1) throw invalidArgument(`one plugin at a time: ${positionals.slice(1).join(' ')} is too much`);
    const dir = resolve(positionals[0] ?? '.');
    const manifest = readManifest(dir);
    const inside = values.mounts ? inOwnNamespaces() : undefined;
    if (inside !== undefined) return inside;
    const world = values.mounts ? mountingWorld : {};
    if (values.socket !== undefined && (placements !== undefined || values.chaos))
      throw invalidArgument('with --socket the plugin is where you run it: leave --placement and --chaos out');
    await using there =
      values.socket === undefined
        ? undefined
        : (await import('../conformance/at-socket.ts')).atSocket({ endpoint: values.socket, token: values.token });
    const where = there === undefined ? placements && { placements } : { placements: ['process'] as const, open: there.open };
    const cases = planConformance(dir, { only, world, chaos: values.chaos, ...where });
    if (cases.length === 0)
      throw invalidArgument(`no case is named like ${only.join(', ')}`, { hint: 'gantry-sdk conformance --list names them' });
    if (values.list === true) return print(`${cases.map(({ driver, id }) => `${driver} ${id}`).join('\n')}\n`);
    if (there === undefined) checkEntry(dir, manifest);
    return await tell(report, runConformance(cases));
  },
};

async function tell(report: Report, running: AsyncIterable<Outcome>): Promise<number> {
  const outcomes: Outcome[] = [];
  for await (const outcome of running) {
    outcomes.push(outcome);
    print(report.each?.(outcome) ?? '');
  }
  print(report.all(outcomes));
  return outcomes.some(({ status }) => status === 'failed') ? 1 : 0;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function placementOf(name: string): ConformancePlacement {
  if (name === 'in-process' || name === 'worker' || name === 'process') return name;
  throw invalidArgument(`placement ${JSON.stringify(name)}: must be in-process, worker or process`);
}

function unknownReport(name: string): never {
  throw invalidArgument(`report ${JSON.stringify(name)}: must be one of ${Object.keys(reports).join(', ')}`);
}
