import { connect } from '@gantry/sdk/client';
import type { Context } from '../../context.ts';
import { type Finding, ok, show, warn } from '../../finding.ts';
import { type Format, formatOption } from '../../format/format-option.ts';
import { verb } from '../../verb.ts';
import { examineHost } from './doctor/host.ts';
import { examineTools } from './doctor/tools.ts';

export const doctor = verb<{ readonly format?: Format }>({
  arguments: '',
  options: [formatOption],
  notes: `Looks at the machine: the kernel, the programs that the engine calls, the disk, daemon.json; and at the engine, when one answers. Changes nothing.
Exit code 1 when something will not work; warnings alone are 0.

  gantry doctor`,
  async action(context, _given, { format }) {
    const findings = [...examineHost(), ...examineTools(), ...(await examineEngine(context))];
    for (const finding of findings) context.print(format === 'json' ? JSON.stringify(finding) : show(finding));
    return findings.some(({ level }) => level === 'fail') ? 1 : 0;
  },
});

/** What the engine itself warns of. None is started for it. */
async function examineEngine({ host }: Context): Promise<readonly Finding[]> {
  try {
    const info = await connect({ host: host.address }).system.info();
    const answers = ok('engine', `version ${info.ServerVersion} answers at ${host.address}`);
    return [answers, ...(info.Warnings ?? []).map((line) => warn('engine', line.replace(/^WARNING: /, ''), 'gantry info tells more'))];
  } catch {
    return [warn('engine', `nobody answers at ${host.address}`, 'any gantry command starts one, and so does gantry system install')];
  }
}
