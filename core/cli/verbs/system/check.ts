import type { CheckFinding, CheckReport } from '@gantry/sdk/engine';
import { type Format, formatOption } from '../../format/format-option.ts';
import { flag } from '../../option.ts';
import { verb } from '../../verb.ts';

interface CheckFlags {
  readonly repair?: boolean;
  readonly format?: Format;
}

export const check = verb<CheckFlags>({
  arguments: '',
  options: [flag('--repair', 'Mend what can be mended without losing anything'), formatOption],
  notes: `Reads every blob and layer, and asks the graph and volume drivers what they have. Running containers are not disturbed.
With --repair damaged blobs are put aside, damaged layers unpacked again from their blobs, and what nobody names is removed.
Exit code 1 when something is wrong and was not repaired.`,
  async action(context, _given, { repair = false, format }) {
    const { system } = await context.client();
    const report = await system.check({ repair });
    if (format === 'json') context.print(JSON.stringify(report));
    else for (const line of lines(report)) context.print(line);
    return report.findings.every(({ repaired }) => repaired !== undefined) ? 0 : 1;
  },
});

function lines({ checked, findings }: CheckReport): readonly string[] {
  const { blobs, layers, graphDrivers, volumes } = checked;
  const counts = `checked ${blobs} blobs, ${layers} layers, ${graphDrivers} graph drivers, ${volumes} volumes`;
  return [...findings.flatMap(show), `${counts}: ${findings.length === 0 ? 'all is well' : `${findings.length} found`}`];
}

/** "layer sha256:12… is damaged (busybox:latest)", and what was or can be done. */
function show({ kind, id, problem, usedBy, repaired, advice }: CheckFinding): readonly string[] {
  const users = usedBy.length === 0 ? '' : ` (${usedBy.join(', ')})`;
  const then = repaired === undefined ? advice : `repaired: ${repaired}`;
  return [`${kind} ${id} ${problem}${users}`, ...(then === undefined ? [] : [`  ${then}`])];
}
