import type { Manifest } from '../manifest.ts';
import type { Language, Plan } from './plan.ts';
import { samples } from './samples.ts';

export const javascript: Language = {
  title: 'JavaScript',
  kinds: ['volume', 'graph', 'network', 'ipam', 'log', 'exec'],
  manifest: (plan) => ({ ...ofModule('main.js'), ...samples[plan.kind].manifest }),
  packageJson: { scripts: moduleScripts('main.test.js'), files: modulesAndNoTests('js') },
  guide: () => moduleGuide('main.js', 'main.test.js'),
  files: (plan) => ({ 'main.js': { text: main(plan) }, 'main.test.js': { text: moduleTest(plan, 'main.js') } }),
};

export const typescript: Language = {
  title: 'TypeScript',
  kinds: javascript.kinds,
  manifest: (plan) => ({ ...ofModule('main.ts'), ...samples[plan.kind].manifest }),
  packageJson: {
    scripts: { ...moduleScripts('main.test.ts'), types: 'tsc' },
    devDependencies: { '@types/node': '^24', typescript: '>=5.9' },
    files: modulesAndNoTests('ts'),
  },
  guide: () => [...moduleGuide('main.ts', 'main.test.ts'), ['tsconfig.json', '`npm run types`; the engine runs TypeScript as it is']],
  files: (plan) => ({
    'main.ts': { text: main(plan) },
    'main.test.ts': { text: moduleTest(plan, 'main.ts') },
    'tsconfig.json': { text: `${JSON.stringify(tsconfig, undefined, 2)}\n` },
  }),
};

/** What the manifest says of a Node module. */
export function ofModule(entry: string): Pick<Manifest, 'entry' | 'placement'> {
  return { entry: { node: entry }, placement: ['process', 'worker', 'in-process'] };
}

export function moduleScripts(file: string): Readonly<Record<string, string>> {
  return { test: `node --test ${file}`, manifest: 'gantry-sdk manifest .' };
}

/** What is published: a module that is added later too. */
export function modulesAndNoTests(extension: string): readonly string[] {
  return [`**/*.${extension}`, `!**/*.test.${extension}`];
}

export function moduleGuide(entry: string, file: string): readonly (readonly [file: string, what: string])[] {
  return [
    [entry, 'the driver: change this, then `npm run manifest`'],
    [file, "`npm test`: the contract's cases and the driver's own"],
  ];
}

function main({ kind, name }: Plan): string {
  const { imports, code } = samples[kind];
  return `import { ${imports.join(', ')} } from '@gantry/sdk/author';\n\n${code(name)}`;
}

/** The kit's cases, and one test of the driver's own to go on from. */
export function moduleTest({ kind, name }: Plan, entry: string): string {
  const only = samples[kind].only === undefined ? '' : `, { only: [${samples[kind].only.map((id) => `'${id}'`).join(', ')}] }`;
  return `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conformance } from '@gantry/sdk/conformance';
import { hostFor } from '@gantry/sdk/testing';
import plugin from './${entry}';

// Every case of the contract, in memory: neither root nor an engine is needed.
conformance(import.meta.dirname${only});

test('${name} starts and tells what it wants', async () => {
  await using host = await hostFor(plugin);
  assert.ok(host.driver('${kind}', '${name}'));
});
`;
}

const tsconfig = {
  compilerOptions: {
    target: 'esnext',
    module: 'nodenext',
    lib: ['esnext'],
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    allowImportingTsExtensions: true,
    rewriteRelativeImportExtensions: true,
    skipLibCheck: true,
    noEmit: true,
  },
};
