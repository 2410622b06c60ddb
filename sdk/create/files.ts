import type { Files, Language, Plan } from './plan.ts';
import { samples } from './samples.ts';

/** What every new plugin has, whatever its language. */
export function commonFiles(plan: Plan, language: Language): Files {
  return {
    'gantry-plugin.json': { text: json(manifest(plan, language)) },
    'package.json': { text: json(packageJson(plan, language)) },
    'README.md': { text: readme(plan, language) },
    '.gitignore': { text: 'node_modules/\n' },
    '.github/workflows/test.yml': { text: workflow },
  };
}

function manifest({ name, kind }: Plan, { entry, kinds }: Language): object {
  const features = sampleFeatures[kind] ?? [];
  // A script's options are its author's to say.
  const said = kinds.length === 1 ? {} : samples[kind].manifest;
  return {
    manifestVersion: 1,
    name,
    version: '0.1.0',
    provides: [{ contract: kind, versions: ['v1'], drivers: [name], ...(features.length === 0 ? {} : { features }) }],
    entry: { node: entry },
    placement: ['process', 'worker', 'in-process'],
    ...said,
  };
}

const sampleFeatures: { readonly [Kind in Plan['kind']]?: readonly string[] } = { log: ['purge'], exec: ['describe'] };

function packageJson({ name }: Plan, { test, entry }: Language): object {
  const isTyped = entry.endsWith('.ts');
  return {
    name: `gantry-${name}`,
    version: '0.1.0',
    type: 'module',
    engines: { node: '>=24' },
    scripts: {
      test: `node --test ${test}`,
      conformance: 'gantry-sdk conformance .',
      manifest: 'gantry-sdk manifest .',
      ...(isTyped ? { types: 'tsc' } : {}),
    },
    dependencies: { '@gantry/sdk': '^0.1.0' },
    ...(isTyped ? { devDependencies: { '@types/node': '^24', typescript: '>=5.9' } } : {}),
  };
}

function readme({ name, kind }: Plan, { entry, test }: Language): string {
  return `# ${name}

A ${kind} driver for Gantry.

| | |
| --- | --- |
| \`${entry}\` | the driver |
| \`gantry-plugin.json\` | what an engine reads before any of it runs: \`npm run manifest\` writes it from the code |
| \`${test}\` | \`npm test\`: the contract's cases and the driver's own, without root and without an engine |

\`\`\`sh
npm install && npm test
gantry plugin install .          # what it asks for is shown first
\`\`\`
`;
}

const workflow = `name: test
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with: { node-version: 24 }
      - run: npm install
      - run: npm test
      - run: npx gantry-sdk conformance . --report junit > conformance.xml
      - uses: actions/upload-artifact@v4
        if: always()
        with: { name: conformance, path: conformance.xml }
`;

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
