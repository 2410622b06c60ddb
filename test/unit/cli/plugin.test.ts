import assert from 'node:assert/strict';
import { mkdirSync, mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { changes } from '../../../core/cli/verbs/plugin/dev/changes.ts';
import { examine } from '../../../core/cli/verbs/plugin/doctor/examine.ts';
import { checkUndeclared } from '../../../core/cli/verbs/plugin/doctor/undeclared.ts';
import { newestOf, readSource } from '../../../core/cli/verbs/plugin/source.ts';
import { writeFiles } from '../../support/plugins/plugin-sources.ts';

test('readSource() makes paths absolute and leaves everything else', () => {
  const here = process.cwd();
  assert.deepEqual(['./x', '.', '../x.tgz', '/a/../b', 'folder:x', './x.tgz'].map(readSource), [
    `folder:${here}/x`,
    `folder:${here}`,
    join(here, '../x.tgz'),
    'folder:/b',
    `folder:${here}/x`,
    `${here}/x.tgz`,
  ]);
  for (const text of ['acme/nfs:1', 'npm:@a/b@1', 'oci:r:5000/x@sha256:0', '.hidden/x', 'x']) assert.equal(readSource(text), text);
});

test('newestOf() takes off what pins a version', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const sources = [`oci:r:5000/a/b:1@${digest}`, 'npm:@a/b@1.2.3', 'npm:b@1.2.3', 'npm:@a/b', 'folder:/a@b', 'built-in'];
  assert.deepEqual(sources.map(newestOf), ['oci:r:5000/a/b:1', 'npm:@a/b', 'npm:b', 'npm:@a/b', 'folder:/a@b', 'built-in']);
});

test('checkUndeclared() names each thing once, and nothing of common code', () => {
  const manifest = { manifestVersion: 1, name: 'x', version: '1.0.0', provides: [], entry: {} } as const;
  const harmless = [
    "import { join } from 'node:path'; const x = prefetch(y); open('/dev/null'); const run = '/running';",
    "const text = 'https://docs.example/usr/share'; state.lookup('x'); import fs from 'node:fs/promises';",
  ];
  assert.deepEqual(
    checkUndeclared(
      manifest,
      harmless.map((text, index) => ({ path: `${index}.js`, text })),
    ),
    [],
  );
  const twice = "fetch('x'); fetch('y')";
  assert.equal(
    checkUndeclared(manifest, [
      { path: 'a.js', text: twice },
      { path: 'b.js', text: twice },
    ]).length,
    1,
  );
});

test('changes() makes one of what is written together, also in new folders, and ignores what packages write', {
  timeout: 10_000,
}, async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'changes-'));
  mkdirSync(join(folder.path, 'node_modules'));
  const stop = new AbortController();
  const seen = changes(folder.path, stop);
  const first = seen.next();
  writeFileSync(join(folder.path, 'node_modules/x.js'), '');
  writeFileSync(join(folder.path, 'a.js'), '');
  writeFileSync(join(folder.path, 'b.js'), '');
  assert.equal((await first).done, false);
  const second = seen.next();
  mkdirSync(join(folder.path, 'src'));
  writeFileSync(join(folder.path, 'src/c.js'), '');
  assert.equal((await second).done, false);
  const last = seen.next();
  stop.abort();
  assert.equal((await last).done, true);
});

test("examine() takes programs of the machine and lists of certificates for what they are, and nothing of the authors' own tools", async () => {
  using temporary = mkdtempDisposableSync(join(tmpdir(), 'doctor-'));
  const folder = temporary.path;
  const provides = [{ contract: 'volume', versions: ['v1'], drivers: ['x'] }];
  const about = { manifestVersion: 1, name: 'x', version: '1.0.0', description: 'x', provides, options: { volume: { properties: {} } } };
  const worries = async (program: string, files: Readonly<Record<string, unknown>> = {}): Promise<readonly string[]> => {
    writeFiles(folder, { 'gantry-plugin.json': { ...about, entry: { exec: [program] } }, ...files });
    return (await examine(folder)).filter(({ level }) => level !== 'ok').map(({ about: what, message }) => `${what}: ${message}`);
  };
  assert.deepEqual(await worries('/usr/bin/env', { 'roots.pem': '-----BEGIN CERTIFICATE-----' }), []);
  assert.deepEqual(await worries('/usr/bin/no-such'), ['entry: /usr/bin/no-such is not on this machine']);
  assert.deepEqual(await worries('/opt/own'), ["entry: /opt/own is absolute: it is looked for in the plugin's own root"]);
  const list = { packages: { 'node_modules/tool': { dev: true }, 'node_modules/dep': {} } };
  const modules = { 'node_modules/.package-lock.json': list, 'node_modules/tool/x': 'x'.repeat(60e6), 'node_modules/dep/x': 'x' };
  assert.deepEqual(await worries('/usr/bin/env', { ...modules, 'key.pem': '-----BEGIN PRIVATE KEY-----' }), [
    'key.pem: looks like a secret, and would be packed',
  ]);
});
