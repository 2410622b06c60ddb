import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildPackage, top } from './package.ts';

/** npm run build [-- --out <folder>] [--no-types]: the package that is published, in `dist` unless told otherwise; to run it here needs no types. */
const { values } = parseArgs({ options: { out: { type: 'string' }, 'no-types': { type: 'boolean', default: false } } });
const began = performance.now();
const folder = resolve(top, values.out ?? 'dist');
await buildPackage(folder, { withTypes: !values['no-types'] });
console.log(`built ${folder} in ${((performance.now() - began) / 1000).toFixed(1)} s`);
