import type { Files, Language, Plan } from './plan.ts';
import { sdkVersion } from './protos.ts';
import { readme } from './readme.ts';

/** What every new plugin has, whatever its language. */
export function commonFiles(plan: Plan, language: Language): Files {
  return {
    'README.md': { text: readme(plan, language) },
    'gantry-plugin.json': { text: json(manifest(plan, language)) },
    'package.json': { text: json(packageJson(plan, language)) },
    '.gitignore': { text: ['node_modules/', ...(language.ignored ?? []), '*.tgz', ''].join('\n') },
    '.github/workflows/test.yml': { text: workflow(language) },
  };
}

function manifest(plan: Plan, language: Language): object {
  const { name, kind } = plan;
  const { description, ...said } = language.manifest(plan);
  const features = sampleFeatures[kind] ?? [];
  return {
    manifestVersion: 1,
    name,
    version: '0.1.0',
    description,
    provides: [{ contract: kind, versions: ['v1'], drivers: [name], ...(features.length === 0 ? {} : { features }) }],
    ...said,
  };
}

const sampleFeatures: { readonly [Kind in Plan['kind']]?: readonly string[] } = { log: ['purge'], exec: ['describe'] };

/** The SDK is for making the plugin: an engine runs plugins with its own. */
function packageJson(plan: Plan, { manifest: manifestOf, packageJson: { scripts, devDependencies, files } }: Language): object {
  const { description, entry } = manifestOf(plan);
  return {
    name: `gantry-${plan.name}`,
    version: '0.1.0',
    description,
    ...(entry.node === undefined ? {} : { type: 'module', engines: { node: '>=24' } }),
    files: ['gantry-plugin.json', ...files],
    scripts: { ...scripts, conformance: 'gantry-sdk conformance .' },
    devDependencies: { '@gantry/sdk': `^${sdkVersion()}`, ...devDependencies },
  };
}

function workflow({ setUp = '' }: Language): string {
  return `name: test
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with: { node-version: 24 }
${setUp}      - run: npm install
      - run: npm test
      - run: npx gantry-sdk conformance . --report junit > conformance.xml
      - uses: actions/upload-artifact@v4
        if: always()
        with: { name: conformance, path: conformance.xml }
`;
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
