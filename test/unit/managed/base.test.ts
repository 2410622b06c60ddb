import assert from 'node:assert/strict';
import { globSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { layBase } from '../../../sdk/managed/base.ts';
import { inRoot } from '../../../sdk/managed/in-root.ts';
import { makeImage } from '../../support/images/image-archive.ts';
import { endOfArchive, entry, header } from '../../support/images/tar-builder.ts';

const root = mkdtempSync(join(tmpdir(), 'base-'));
after(() => rmSync(root, { recursive: true }));
let made = 0;
const place = (): string => join(root, `${(made += 1)}`);

type File = string | { readonly link: string } | null;
/** A layer: texts are files, null is a folder. */
const layer = (files: Readonly<Record<string, File>>): Buffer =>
  Buffer.concat([
    ...Object.entries(files).map(([name, content]) => {
      if (content === null) return header({ name: `${name}/`, type: '5', mode: 0o755 });
      return typeof content === 'string' ? entry(name, Buffer.from(content)) : header({ name, type: '2', link: content.link });
    }),
    endOfArchive,
  ]);

async function laid(archive: Buffer): Promise<Readonly<Record<string, string>>> {
  const [file, rootfs] = [place(), place()];
  writeFileSync(file, archive);
  mkdirSync(rootfs);
  await layBase(file, rootfs);
  const paths = globSync('**', { cwd: rootfs }).filter((path) => path !== '.' && !lstatSync(join(rootfs, path)).isDirectory());
  return Object.fromEntries(
    paths.map((path) => [
      path,
      lstatSync(join(rootfs, path)).isSymbolicLink() ? `-> ${readlinkSync(join(rootfs, path))}` : readFileSync(join(rootfs, path), 'utf8'),
    ]),
  );
}

const lower = layer({
  etc: null,
  'etc/a': 'a',
  'etc/b': 'b',
  opt: null,
  'opt/x': 'x',
  'opt/deep': null,
  'opt/deep/y': 'y',
  lib: { link: 'usr/lib' },
});
const upper = layer({
  etc: null,
  'etc/.wh.a': '',
  'etc/b': 'b2',
  opt: null,
  'opt/.wh..wh..opq': '',
  'opt/z': 'z',
  'new': null,
  'new/.wh.old': '',
  'new/n': 'n',
});
const whole = { 'etc/b': 'b2', 'opt/z': 'z', 'new/n': 'n', lib: '-> usr/lib' };

for (const format of ['docker', 'oci'] as const) {
  test(`layBase() lays the layers of an image (${format}) over each other, deletions too`, async () => {
    assert.deepEqual(await laid(makeImage({ format, layers: [lower, upper] }).archive), whole);
  });
}

test('layBase() takes a plain tar as it is', async () => {
  assert.deepEqual(await laid(layer({ a: null, 'a/b': 'c' })), { 'a/b': 'c' });
});

test('layBase() copies a folder, links as links', async () => {
  const [from, to] = [place(), place()];
  mkdirSync(join(from, 'usr/bin'), { recursive: true });
  writeFileSync(join(from, 'usr/bin/x'), 'x', { mode: 0o755 });
  symlinkSync('usr/bin', join(from, 'bin'));
  mkdirSync(to);
  await layBase(from, to);
  assert.deepEqual([readlinkSync(join(to, 'bin')), lstatSync(join(to, 'usr/bin/x')).mode & 0o111], ['usr/bin', 0o111]);
});

test('layBase() follows no link of a lower layer out of the root, to write or to delete', async () => {
  const outside = place();
  mkdirSync(outside);
  writeFileSync(join(outside, 'kept'), 'kept');
  const first = layer({ out: { link: outside } });
  const second = layer({ out: null, 'out/.wh.kept': '', 'out/written': 'no' });
  assert.deepEqual(await laid(makeImage({ layers: [first, second] }).archive), { 'out/written': 'no' });
  assert.deepEqual(globSync('*', { cwd: outside }), ['kept']);
});

const bad: readonly (readonly [what: string, archive: Buffer, message: RegExp])[] = [
  ['no archive', Buffer.from('this is no tar at all'.padEnd(2000, '.')), /cannot be unpacked/],
  ['a manifest that is no JSON', Buffer.concat([entry('manifest.json', Buffer.from('{')), endOfArchive]), /manifest\.json is no JSON/],
  ['two images', Buffer.concat([entry('manifest.json', Buffer.from('[{"Layers":[]},{"Layers":[]}]')), endOfArchive]), /holds 2 images/],
  [
    'a layer outside',
    Buffer.concat([entry('manifest.json', Buffer.from('[{"Layers":["../../etc/passwd"]}]')), endOfArchive]),
    /names a layer that it has not/,
  ],
  [
    'a layer that is a link',
    Buffer.concat([
      entry('manifest.json', Buffer.from('[{"Layers":["l"]}]')),
      header({ name: 'l', type: '2', link: '/etc/passwd' }),
      endOfArchive,
    ]),
    /names a layer that it has not: "l"/,
  ],
];
for (const [what, archive, message] of bad) {
  test(`layBase() refuses ${what}, and leaves nothing beside`, async () => {
    const before = globSync('.base-*', { cwd: root });
    await assert.rejects(laid(archive), { code: 'invalid_argument', message });
    assert.deepEqual(globSync('.base-*', { cwd: root }), before);
  });
}

test('layBase() says that a base is not there', async () => {
  await assert.rejects(layBase(join(root, 'nowhere'), place()), { code: 'not_found', message: /nowhere is not there/ });
});

test('inRoot() resolves links as a process with that root would', () => {
  const top = place();
  mkdirSync(join(top, 'usr/lib'), { recursive: true });
  symlinkSync('/usr/lib', join(top, 'lib'));
  symlinkSync('../../../../usr', join(top, 'up'));
  symlinkSync('loop', join(top, 'loop'));
  assert.deepEqual(
    ['/lib/x', '/up/lib', '/../../etc', '/not/there', 'lib'].map((path) => inRoot(top, path).slice(top.length)),
    ['/usr/lib/x', '/usr/lib', '/etc', '/not/there', '/usr/lib'],
  );
  assert.throws(() => inRoot(top, '/loop/x'), { code: 'invalid_argument' });
});
