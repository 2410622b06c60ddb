import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildPackage, top } from './package.ts';

/** npm run build [-- --out <folder>]: the package that is published, in `dist` unless told otherwise. */
const { values } = parseArgs({ options: { out: { type: 'string' } } });
const began = performance.now();
const folder = resolve(top, values.out ?? 'dist');
await buildPackage(folder);
console.log(`built ${folder} in ${((performance.now() - began) / 1000).toFixed(1)} s`);
