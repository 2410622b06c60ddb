import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createPlugin, languages, type Plan, pluginKinds } from '../create/index.ts';
import { invalidArgument } from '../errors.ts';
import type { Command } from './main.ts';

/** The folder of a new plugin. */
export const createCommand: Command = {
  summary: 'make the folder of a new plugin',
  help: `Usage: gantry-sdk create DIR --kind KIND [--lang LANG]

Makes DIR with a driver that works and passes its tests: manifest, code, tests, README, CI. The last part of DIR is its name.

  --kind KIND   ${pluginKinds.join(', ')}
  --lang LANG   ${Object.keys(languages).join(', ')}; ts unless given. sh: a script that is run once per call

  gantry-sdk create my-nfs --kind volume
  cd my-nfs && npm install && npm test
`,
  async run(argv) {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { kind: { type: 'string' }, lang: { type: 'string', default: 'ts' } },
    });
    const [dir] = positionals;
    if (dir === undefined) throw invalidArgument('say which folder', { hint: 'gantry-sdk create my-nfs --kind volume' });
    if (values.kind === undefined) throw invalidArgument('say which kind of driver', { hint: `--kind ${pluginKinds.join(' | ')}` });
    const folder = resolve(dir);
    const files = createPlugin(folder, { name: basename(folder), kind: values.kind as Plan['kind'], lang: values.lang });
    process.stdout.write(`made ${dir}: ${files.join(' ')}\n\nnext: cd ${dir} && npm install && npm test\n`);
    return 0;
  },
};
