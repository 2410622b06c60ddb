import { resolve } from 'node:path';
import { type Format, formatOption } from '../../format/format-option.ts';
import { verb } from '../../verb.ts';
import { examine } from './doctor/examine.ts';
import { show } from '../../finding.ts';

export const doctor = verb<{ readonly format?: Format }>({
  arguments: '<folder>',
  options: [formatOption],
  notes: `Compares gantry-plugin.json with what is in the folder, and says what to fix: fields, the entry, privileges that the code seems to need and the manifest
does not ask for, size. Runs nothing and needs no engine. Exit code 1 when something will not work; warnings alone are 0.

  gantry plugin doctor .`,
  async action(context, [folder = '.'], { format }) {
    const findings = await examine(resolve(folder));
    if (format === 'json') for (const finding of findings) context.print(JSON.stringify(finding));
    else for (const finding of findings) context.print(show(finding));
    return findings.some(({ level }) => level === 'fail') ? 1 : 0;
  },
});
