import assert from 'node:assert/strict';
import { mkdirSync, mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { unpublishedPaths } from '../../../sdk/managed/index.ts';
import { writeFiles } from '../../support/plugins/plugin-sources.ts';

const manifest = { name: 'x', entry: { exec: ['./driver'] } };
const all = {
  'gantry-plugin.json': '{}',
  driver: '',
  'main.go': '',
  'gen/a.go': '',
  'lib/b.py': '',
  'lib/test/c.py': '',
  'node_modules/dep/index.js': '',
  '.git/HEAD': '',
};
async function unpublished(files: Readonly<Record<string, unknown>>, about: typeof manifest = manifest): Promise<readonly string[]> {
  using temporary = mkdtempDisposableSync(join(tmpdir(), 'unpublished-'));
  writeFiles(temporary.path, { ...all, ...files });
  return await unpublishedPaths(temporary.path, about);
}

test('unpublishedPaths() names what "files" does not, a folder once, and never the manifest or what the plugin depends on', async () => {
  assert.deepEqual(await unpublished({ 'package.json': { files: ['driver', 'lib', '!lib/test'] } }), [
    '.git',
    'gen',
    'lib/test',
    'main.go',
  ]);
});

test('unpublishedPaths() goes by .npmignore, or by .gitignore where there is none, as npm does', async () => {
  assert.deepEqual(await unpublished({ 'package.json': {}, '.npmignore': '*.go\ngen/\n', '.gitignore': 'driver\n' }), [
    '.git',
    '.gitignore',
    '.npmignore',
    'gen',
    'main.go',
  ]);
  assert.deepEqual(await unpublished({ 'package.json': {}, '.gitignore': 'gen\n' }), ['.git', '.gitignore', 'gen']);
});

test('unpublishedPaths() leaves out nothing but .git of a folder that is no npm package', async () => {
  assert.deepEqual(await unpublished({ '.gitignore': 'driver\n' }), ['.git']);
});

test('unpublishedPaths() refuses a package.json that leaves out what the manifest starts', async () => {
  await assert.rejects(unpublished({ 'package.json': { files: ['lib'] } }), {
    code: 'invalid_argument',
    message: 'plugin x: package.json publishes no ./driver, which the manifest starts',
    hint: 'add it to "files"',
  });
  await assert.rejects(unpublished({ 'package.json': {}, '.gitignore': 'driver' }), { hint: /say "files" in package\.json/ });
});

for (const text of ['{', '{"files":"driver"}', '{"files":[1]}', '{"files":{}}']) {
  test(`unpublishedPaths() refuses the package.json ${text}`, async () => {
    await assert.rejects(unpublished({ 'package.json': text }), { code: 'invalid_argument', message: /^package\.json/ });
  });
}

test('unpublishedPaths() passes over fields that make no sense to npm either, and fails on an ignore file that cannot be read', async () => {
  assert.deepEqual(await unpublished({ 'package.json': '{"files":["driver"],"bin":[1],"main":7,"browser":{"a":1}}' }), [
    '.git',
    'gen',
    'lib',
    'main.go',
  ]);
  using temporary = mkdtempDisposableSync(join(tmpdir(), 'unpublished-'));
  writeFiles(temporary.path, { ...all, 'package.json': {} });
  mkdirSync(join(temporary.path, '.npmignore'));
  await assert.rejects(unpublishedPaths(temporary.path, manifest));
});
