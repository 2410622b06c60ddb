import { statfsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fstabFlags, mount, type MountFlag } from '../linux/index.ts';

/** The program that does once what may hang, and ends: `mount -i -t TYPE -o OPTIONS -- FROM TARGET`, as mount(8) has it, or `statfs PATH`. */
const [verb, ...words] = process.argv.slice(2);
try {
  if (verb === 'mount') mountAsTold(words);
  else statfsSync(words[0] ?? '');
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

function mountAsTold(args: readonly string[]): void {
  const options = {
    i: { type: 'boolean', short: 'i' },
    type: { type: 'string', short: 't' },
    options: { type: 'string', short: 'o' },
  } as const;
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
  const [source = '', target = ''] = positionals;
  const flags = new Set<MountFlag>();
  const data: string[] = [];
  for (const option of values.options === undefined ? [] : values.options.split(',')) {
    const flag = Object.hasOwn(fstabFlags, option) ? fstabFlags[option] : undefined;
    if (flag === undefined) data.push(option);
    else if (flag !== null) flags.add(flag);
  }
  mount(source, target, { type: values.type ?? '', flags, data: data.join(',') });
}
