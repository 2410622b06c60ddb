import type { Language, Plan } from './plan.ts';
import { samples } from './samples.ts';

export const javascript: Language = {
  entry: 'main.js',
  test: 'main.test.js',
  kinds: ['volume', 'graph', 'network', 'ipam', 'log', 'exec'],
  files: (plan) => ({ 'main.js': { text: main(plan) }, 'main.test.js': { text: test(plan, 'main.js') } }),
};

export const typescript: Language = {
  entry: 'main.ts',
  test: 'main.test.ts',
  kinds: javascript.kinds,
  files: (plan) => ({
    'main.ts': { text: main(plan) },
    'main.test.ts': { text: test(plan, 'main.ts') },
    'tsconfig.json': { text: `${JSON.stringify(tsconfig, undefined, 2)}\n` },
  }),
};

function main({ kind, name }: Plan): string {
  const { imports, code } = samples[kind];
  return `import { ${imports.join(', ')} } from '@gantry/sdk/author';\n\n${code(name)}`;
}

/** The kit's cases, and one test of the driver's own to go on from. */
export function test({ kind, name }: Plan, entry: string): string {
  const skipped = kind === 'ipam' ? ", { only: ['plugin.manifest.*', 'plugin.ready.*', 'plugin.selftest.*'] }" : '';
  return `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conformance } from '@gantry/sdk/conformance';
import { hostFor } from '@gantry/sdk/testing';
import plugin from './${entry}';

// Every case of the contract, in memory: neither root nor an engine is needed.
conformance(import.meta.dirname${skipped});

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
