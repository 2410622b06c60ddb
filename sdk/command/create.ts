import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { article, createPlugin, languages, type Plan, pluginKinds } from '../create/index.ts';
import { invalidArgument } from '../errors.ts';
import type { Command } from './main.ts';

const languageHelp = ([word, { title, kinds }]: readonly [string, (typeof languages)[string]]): string =>
  `                ${word.padEnd(8)}${title}: ${kinds.join(', ')}`;

/** The folder of a new plugin. */
export const createCommand: Command = {
  summary: 'make the folder of a new plugin',
  help: `Usage: gantry-sdk create DIR [--kind KIND] [--lang LANG]

Makes DIR with a driver that works and passes its tests: manifest, code, tests, README, CI. The last part of DIR is its name.

  --kind KIND   ${pluginKinds.join(', ')}; volume unless given
  --lang LANG   ts unless given:
${Object.entries(languages).map(languageHelp).join('\n')}

go and python are made of the protos alone, which come with them; sh is a script that is run once per call. The new README.md says how to
go on: prove, try, pack, install.

  gantry-sdk create my-nfs --kind volume
  gantry-sdk create my-disks --lang go
  cd my-nfs && npm install && npm test
`,
  async run(argv) {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { kind: { type: 'string', default: 'volume' }, lang: { type: 'string', default: 'ts' } },
    });
    const [dir, ...others] = positionals;
    if (dir === undefined) throw invalidArgument('say which folder', { hint: 'gantry-sdk create my-nfs --kind volume' });
    if (others.length > 0) throw invalidArgument(`one folder at a time: ${others.join(' ')} is too much`);
    const folder = resolve(dir);
    // Whether it is one of them is createPlugin's to say.
    const files = createPlugin(folder, { name: basename(folder), kind: values.kind as Plan['kind'], lang: values.lang });
    const shown = files.filter((path) => !path.startsWith('proto/'));
    const rest = files.length > shown.length ? ` proto/ (${files.length - shown.length} files)` : '';
    process.stdout.write(
      `made ${dir}, ${article(values.kind)} driver in ${languages[values.lang]?.title ?? values.lang}: ${shown.join(' ')}${rest}\n\nnext: cd ${dir} && npm install && npm test\n`,
    );
    return 0;
  },
};
