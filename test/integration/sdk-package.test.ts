import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, test } from 'node:test';
import { createPlugin, languages } from '../../sdk/create/index.ts';
import { apiOf, apiReport, buildSdk } from '../build/sdk.ts';

const top = join(import.meta.dirname, '../..');
const work = mkdtempSync(join(tmpdir(), 'gantry-sdk-package-'));
after(() => rmSync(work, { recursive: true }));

// A project that has the package as npm would have put it there.
const modules = join(work, 'node_modules');
const built = join(modules, '@gantry/sdk');
mkdirSync(join(modules, '@gantry'), { recursive: true });
buildSdk(built);
for (const name of readdirSync(join(top, 'node_modules')).filter((entry) => entry !== '@gantry' && !entry.startsWith('.'))) {
  symlinkSync(join(top, 'node_modules', name), join(modules, name));
}

function run(cwd: string, ...command: readonly string[]): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd, encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

test('the SDK package is what publint wants', () => {
  const { status, said } = run(built, join(top, 'node_modules/publint/src/cli.js'), '--strict');
  assert.equal(status, 0, said);
});

test('the types of the SDK package are found in every way that an ES module is imported', () => {
  const { status, said } = run(
    built,
    join(top, 'node_modules/@arethetypeswrong/cli/dist/index.js'),
    '--pack',
    '--profile',
    'esm-only',
    '--no-emoji',
    '--no-color',
  );
  assert.equal(status, 0, said);
});

test('a plugin made with the SDK package passes its tests, and its types are right', () => {
  const command = join(built, 'command/gantry-sdk.mjs');
  const made = run(work, command, 'create', 'first', '--kind', 'volume');
  assert.equal(made.status, 0, made.said);
  const dir = join(work, 'first');
  const tested = run(dir, '--test', 'main.test.ts');
  assert.equal(tested.status, 0, tested.said);
  const typed = run(dir, join(top, 'node_modules/typescript/bin/tsc'));
  assert.equal(typed.status, 0, typed.said);
  const proven = run(work, command, 'conformance', 'first');
  assert.equal(proven.status, 0, proven.said);
});

test('the SDK package makes the plugins that its sources make, in every language, and runs them in every placement', () => {
  const command = join(built, 'command/gantry-sdk.mjs');
  for (const lang of Object.keys(languages)) {
    const name = `same-${lang}`;
    const made = run(work, command, 'create', name, '--kind', 'volume', '--lang', lang);
    assert.equal(made.status, 0, made.said);
    const source = join(work, 'by-source', name);
    createPlugin(source, { name, kind: 'volume', lang });
    assert.deepEqual(contents(join(work, name)), contents(source));
  }
  const proven = run(work, command, 'conformance', 'same-js', '--placement', 'process,worker', '--only', 'plugin.ready.within-timeout');
  assert.match(proven.said, /^2 passed, 0 failed/m);
});

function contents(dir: string): Readonly<Record<string, string>> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const shown = files.map(({ parentPath, name }) => {
    const path = join(parentPath, name);
    return [relative(dir, path), `${(statSync(path).mode & 0o777).toString(8)} ${readFileSync(path, 'utf8')}`] as const;
  });
  return Object.fromEntries(shown);
}

test('the SDK package starts the threads that its sources start', () => {
  const script = `import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { TreeCopier } from '@gantry/sdk/linux';
for (const name of ['from', 'to']) mkdirSync(name);
for (let file = 0; file < 1000; file += 1) writeFileSync('from/' + file, 'copied');
await using copier = new TreeCopier();
await copier.copy('from', 'to', { signal: new AbortController().signal });
console.log(readdirSync('to').length);
`;
  mkdirSync(join(work, 'copies'));
  writeFileSync(join(work, 'copies/main.mjs'), script);
  assert.deepEqual(run(join(work, 'copies'), 'main.mjs'), { status: 0, said: '1000\n' });
});

test('npm create gantry-plugin makes a plugin', () => {
  const starter = join(modules, 'create-gantry-plugin');
  cpSync(join(top, 'sdk/create/npm'), starter, { recursive: true });
  const made = run(work, join(starter, 'index.mjs'), 'second', '--kind', 'log', '--lang', 'js');
  assert.equal(made.status, 0, made.said);
  const { dependencies, version } = JSON.parse(readFileSync(join(starter, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly version: string;
  };
  const sdk = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8')) as { readonly version: string };
  assert.deepEqual([dependencies['@gantry/sdk'], version], [sdk.version, sdk.version]);
});

test('what authors rely on has not changed unnoticed', () => {
  assert.equal(
    apiOf(built),
    readFileSync(apiReport, 'utf8'),
    'the API of the SDK changed: npm run build:sdk -- --update-api, and look at the diff',
  );
});
