import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Files } from './plan.ts';

const sdk = join(import.meta.dirname, '..');

/** Of this SDK. */
export function sdkVersion(): string {
  return (JSON.parse(readFileSync(join(sdk, 'package.json'), 'utf8')) as { readonly version: string }).version;
}

/** The contracts as this SDK has them and a note that says which these are: as they were put into the package, or the checkout's. */
export function protoFiles(): Files {
  const packaged = join(sdk, 'proto');
  if (existsSync(packaged)) return filesBelow(packaged, '**/*.{proto,yaml,md}');
  return { ...filesBelow(join(sdk, '../proto'), '**/*.{proto,yaml}'), 'README.md': { text: note(sdkVersion()) } };
}

function filesBelow(folder: string, pattern: string): Files {
  const paths = globSync(pattern, { cwd: folder }).toSorted();
  return Object.fromEntries(paths.map((path) => [path, { text: readFileSync(join(folder, path), 'utf8') }]));
}

const note = (version: string): string => `# proto

Gantry's contracts, as @gantry/sdk ${version} has them. What each method promises is said here; \`gantry-sdk conformance\` proves it.

v1 only ever grows: what is made of this copy works with later engines too. Newer ones are in node_modules/@gantry/sdk/proto after
\`npm install --save-dev @gantry/sdk@latest\`; copied over these, \`npm run build\` makes gen/ anew.
`;
