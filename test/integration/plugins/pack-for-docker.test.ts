import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { packManaged } from '../../../sdk/managed/index.ts';
import { librariesOf } from '../../../sdk/managed/libraries.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { writeFiles } from '../../support/plugins/plugin-sources.ts';
import { everyKind } from '../../support/plugins/served-for-docker.ts';

inNamespaces(import.meta.url);
leakGuard();

const root = mkdtempSync(join(tmpdir(), 'packed-'));
test.after(() => rmSync(root, { recursive: true }));
const folders = join(import.meta.dirname, '../../examples/folders');

test('packManaged() makes config.json and rootfs, with what is needed to run and little more', async () => {
  const out = join(root, 'every');
  const { notes } = await packManaged({ dir: everyKind, out });
  assert.deepEqual(notes, ["docker plugin inspect shows token: Docker's plugins have no secret settings"]);
  assert.deepEqual(readdirSync(out), ['config.json', 'rootfs']);
  const files = globSync('**', { cwd: join(out, 'rootfs') }).filter((path) => lstatSync(join(out, 'rootfs', path)).isFile());
  assert.ok(
    files.includes('usr/bin/node') && files.includes('plugin/main.ts') && files.includes('gantry/sdk/legacy/process.ts'),
    files.join(' '),
  );
  assert.ok(files.some((path) => path.endsWith('/koffi.node')));
  // The wire of our own, and what is for authors, is for no plugin of Docker's.
  assert.deepEqual(
    files.filter((path) => /@grpc|protobufjs|sdk\/(conformance|testing|command|client)\//.test(path)),
    [],
  );
  const withoutNode = files
    .filter((path) => path !== 'usr/bin/node')
    .reduce((sum, path) => sum + lstatSync(join(out, 'rootfs', path)).size, 0);
  assert.ok(withoutNode < 16 * 2 ** 20, `${withoutNode} bytes besides Node`);
});

test('packManaged() makes the same bytes of the same folder, whenever and wherever it is', async () => {
  const copy = writeFiles(join(root, 'elsewhere/folders'), {});
  for (const name of readdirSync(folders)) {
    mkdirSync(copy, { recursive: true });
    copyFileSync(join(folders, name), join(copy, name));
    utimesSync(join(copy, name), 1, 1);
  }
  const [a, b] = [join(root, 'a.tar'), join(root, 'b.tar')];
  await packManaged({ dir: folders, out: a });
  await packManaged({ dir: copy, out: b });
  const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
  assert.equal(digest(a), digest(b));
  await assert.rejects(packManaged({ dir: folders, out: a }), { code: 'already_exists' });
});

test('packManaged() builds on a base that has Node, and takes no other along', async () => {
  const base = join(root, 'base');
  for (const { from, to } of [{ from: process.execPath, to: '/usr/local/bin/node' }, ...librariesOf([process.execPath])]) {
    mkdirSync(join(base, to, '..'), { recursive: true });
    copyFileSync(from, join(base, to));
  }
  writeFileSync(join(base, 'own'), 'of the base');
  const out = join(root, 'based');
  assert.deepEqual(await packManaged({ dir: folders, out, base }), { notes: [] });
  const { entrypoint } = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as { readonly entrypoint: readonly string[] };
  assert.equal(entrypoint[0], '/usr/local/bin/node');
  assert.deepEqual([existsSync(join(out, 'rootfs/usr/bin/node')), existsSync(join(out, 'rootfs/own'))], [false, true]);
});

const strangeBases: readonly (readonly [what: string, files: Readonly<Record<string, string>>, notes: RegExp])[] = [
  ['without a Node', { 'etc/debian_version': '13' }, /^$/],
  [
    'whose Node is no program',
    { 'usr/bin/node': '#!/bin/sh\n' },
    /its? Node|the Node of .* is no program: this machine's is put beside it/,
  ],
  ['with another C library than this Node needs', { [(librariesOf([process.execPath])[0]?.to ?? '').slice(1)]: 'another' }, /^$/],
];
for (const [what, files, notes] of strangeBases) {
  test(`packManaged() puts this machine's Node, with its libraries, apart in a base ${what}, and it runs`, async () => {
    const base = writeFiles(join(root, what.replaceAll(' ', '-')), files);
    const out = `${base}-packed`;
    assert.match((await packManaged({ dir: folders, out, base })).notes.join('\n'), notes);
    for (const [path, content] of Object.entries(files)) assert.equal(readFileSync(join(out, 'rootfs', path), 'utf8'), content);
    await listensIn(out, { url: '' }, /^info folders [^]* listens at/);
  });
}

test('packManaged() refuses a plugin that Docker cannot use before it writes anything', async () => {
  const before = readdirSync(root);
  const out = join(root, 'never');
  await assert.rejects(packManaged({ dir: join(import.meta.dirname, '../../examples/overlay-mini'), out }), { code: 'not_implemented' });
  const noEntry = writeFiles(join(root, 'no-entry'), {
    'gantry-plugin.json': {
      ...(JSON.parse(readFileSync(join(folders, 'gantry-plugin.json'), 'utf8')) as object),
      entry: { node: '../x.js' },
    },
  });
  await assert.rejects(packManaged({ dir: noEntry, out }), { code: 'invalid_argument', message: /entry\.node is "\.\.\/x\.js"/ });
  rmSync(noEntry, { recursive: true });
  assert.deepEqual(readdirSync(root), before);
});

test('what packManaged() made runs with that root and nothing else, and listens soon', async () => {
  await listensIn(join(root, 'every'), { size: '1m' }, /^info every 1\.0\.0 listens at \/run\/docker\/plugins\/plugin\.sock/);
});

test('packManaged() packs a program with what serves it, and nothing that only modules need', async () => {
  const about = JSON.parse(readFileSync(join(folders, 'gantry-plugin.json'), 'utf8')) as object;
  const dir = writeFiles(join(root, 'program'), { 'gantry-plugin.json': { ...about, entry: { exec: ['./driver'] } } });
  copyFileSync('/bin/busybox', join(dir, 'driver'));
  const out = join(root, 'program-packed');
  assert.deepEqual(await packManaged({ dir, out }), { notes: [] });
  const { entrypoint } = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as { readonly entrypoint: readonly string[] };
  assert.equal(entrypoint[1], '/gantry/sdk/legacy/process-exec.ts');
  const files = globSync('**', { cwd: join(out, 'rootfs') });
  for (const path of ['plugin/driver', entrypoint[1].slice(1), 'gantry/node_modules/@grpc/grpc-js/package.json'])
    assert.ok(files.includes(path), path);
  assert.deepEqual(
    files.filter((path) => /sdk\/(conformance|testing|command|client|create)\//.test(path)),
    [],
  );
  await assert.rejects(
    packManaged({
      dir: writeFiles(join(root, 'no-program'), { 'gantry-plugin.json': { ...about, entry: { exec: ['./x'] } } }),
      out: `${out}-2`,
    }),
    {
      code: 'invalid_argument',
      message: /entry\.exec is "\.\/x", and there is no such file/,
    },
  );
});

async function listensIn(packed: string, settings: Readonly<Record<string, string>>, said: RegExp): Promise<void> {
  const rootfs = join(packed, 'rootfs');
  for (const name of ['proc', 'dev']) mkdirSync(join(rootfs, name), { recursive: true });
  const { entrypoint } = JSON.parse(readFileSync(join(packed, 'config.json'), 'utf8')) as { readonly entrypoint: readonly string[] };
  const child = spawn('chroot', [rootfs, ...entrypoint], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...settings },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  assert.match(String(line), said);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
}
