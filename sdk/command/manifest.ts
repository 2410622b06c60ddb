import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadModule } from '../conformance/index.ts';
import { invalidArgument } from '../errors.ts';
import { checkManifest } from '../manifest.ts';
import type { Command } from './main.ts';

/** Writes down what the code of a plugin says, so that an engine can read it before any of that code runs. */
export const manifestCommand: Command = {
  summary: 'write gantry-plugin.json from the code of a plugin',
  help: `Usage: gantry-sdk manifest [DIR] [--entry FILE] [--print]

Imports the plugin in DIR (here, unless given) and writes gantry-plugin.json: its name, drivers, options, settings and privileges,
as volume({ … }), graph({ … }) and the others derive them. An engine reads that file alone until one of the drivers is needed.

  --entry FILE   the module that exports the plugin by default; main.js, main.ts, src/main.ts or dist/main.js unless given
  --print        show it and write nothing

  gantry-sdk manifest . --print
`,
  async run(argv) {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { entry: { type: 'string' }, print: { type: 'boolean' } },
    });
    const dir = resolve(positionals[0] ?? '.');
    const entry = { node: values.entry ?? entries.find((file) => existsSync(join(dir, file))) ?? noEntry(dir) };
    const { manifest } = await loadModule(dir, { entry });
    if (manifest === undefined)
      throw invalidArgument(`${entry.node} has no manifest: volume({ … }) and the others of @gantry/sdk/author bring one`);
    const checked = checkManifest({ ...manifest, entry });
    const text = `${JSON.stringify(checked, undefined, 2)}\n`;
    if (values.print === true) process.stdout.write(text);
    else {
      writeFileSync(join(dir, 'gantry-plugin.json'), text);
      const drivers = checked.provides.flatMap(({ contract, drivers: names }) => names.map((name) => `${contract}/${name}`));
      process.stdout.write(`wrote gantry-plugin.json: ${checked.name} ${checked.version} provides ${drivers.join(', ')}\n`);
    }
    return 0;
  },
};

const entries = ['main.js', 'main.ts', 'src/main.ts', 'dist/main.js'] as const;

function noEntry(dir: string): never {
  throw invalidArgument(`${dir} has none of ${entries.join(', ')}`, { hint: 'say which module it is with --entry' });
}
