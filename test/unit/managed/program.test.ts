import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import type { Manifest } from '@gantry/sdk';
import { librariesOf } from '../../../sdk/managed/libraries.ts';
import { checkProgram, noteScripts } from '../../../sdk/managed/program.ts';

const root = mkdtempSync(join(tmpdir(), 'program-'));
after(() => rmSync(root, { recursive: true }));
let made = 0;

const linked = readFileSync('/bin/true');
/** The head of a program of this machine without a loader, as Go makes them: no segments at all. */
const isStatic = Buffer.from(linked.subarray(0, 64));
isStatic.writeUInt16LE(0, 56);
isStatic.writeBigUInt64LE(0n, 32);
const ofAnother = Buffer.from(isStatic);
ofAnother.writeUInt16LE(0x2b, 18);

/** A root file system with a plugin: `mode` of what is in /plugin is 755 unless the name ends with ".txt". */
function rootWith(files: Readonly<Record<string, string | Buffer | { readonly link: string }>>): string {
  const folder = join(root, `${(made += 1)}`);
  mkdirSync(join(folder, 'plugin'), { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    if (typeof content === 'object' && 'link' in content) symlinkSync(content.link, file);
    else {
      writeFileSync(file, content);
      chmodSync(file, path.endsWith('.txt') ? 0o644 : 0o755);
    }
  }
  return folder;
}
const manifest = (...exec: readonly string[]): Manifest => ({
  manifestVersion: 1,
  name: 'acme.go',
  version: '1.0.0',
  provides: [{ contract: 'volume', versions: ['v1'], drivers: ['go'] }],
  entry: { exec },
});
const script = (line: string): string => `#!${line}\necho\n`;

const runs: readonly (readonly [what: string, files: Parameters<typeof rootWith>[0], exec: readonly string[], base?: string])[] = [
  ['a static program', { 'plugin/driver': isStatic }, ['./driver']],
  ['a script with its interpreter', { 'plugin/driver': script('/bin/sh'), 'bin/sh': '' }, ['driver'], 'base'],
  [
    'env with a program of the path',
    { 'plugin/d': script('/usr/bin/env python3'), 'usr/bin/env': '', 'usr/local/bin/python3': '' },
    ['d'],
    'b',
  ],
  ['env -S with words', { 'plugin/d': script('/usr/bin/env -S A=b python3 -u'), 'usr/bin/env': '', 'bin/python3': '' }, ['d'], 'b'],
  [
    'a program of the base',
    { 'usr/bin/python3.13': isStatic, 'usr/bin/python3': { link: 'python3.13' } },
    ['/usr/bin/python3', 'main.py'],
    'b',
  ],
];
for (const [what, files, exec, base] of runs) {
  test(`checkProgram() finds ${what}`, async () => {
    assert.deepEqual(await checkProgram(rootWith(files), { manifest: manifest(...exec), base }), []);
  });
}

const bad: readonly (readonly [
  what: string,
  files: Parameters<typeof rootWith>[0],
  exec: readonly string[],
  message: RegExp,
  base?: string,
])[] = [
  [
    'a program that only the machine has',
    {},
    ['/usr/bin/python3', 'main.py'],
    /started as \/usr\/bin\/python3, and a root without a base has no \/usr\/bin\/python3/,
  ],
  ['a program that the base lacks', {}, ['/usr/bin/python3'], /and debian\.tar has no \/usr\/bin\/python3/, 'debian.tar'],
  [
    'a script without its shell',
    { 'plugin/driver': script('/bin/sh') },
    ['./driver'],
    /is a script for \/bin\/sh, and a root without a base has no \/bin\/sh/,
  ],
  ['a script whose env finds nothing', { 'plugin/d': script('/usr/bin/env python3'), 'usr/bin/env': '' }, ['d'], /has no python3/, 'b'],
  ['a file that cannot be run', { 'plugin/d.txt': isStatic }, ['d.txt'], /chmod \+x d\.txt/],
  ['a text', { 'plugin/d': 'hello' }, ['d'], /neither a program nor a script/],
  ['a program of another machine', { 'plugin/d': ofAnother }, ['d'], /for another kind of machine \(ELF machine 43/],
  ['a linked program that the base has no loader for', { 'plugin/d': linked }, ['d'], /is linked with libraries, and b has no \/lib/, 'b'],
];
for (const [what, files, exec, message, base] of bad) {
  test(`checkProgram() refuses ${what}, and says what to do`, async () => {
    await assert.rejects(checkProgram(rootWith(files), { manifest: manifest(...exec), base }), { code: 'invalid_argument', message });
  });
}

test('checkProgram() gives a linked program its libraries where there is no base', async () => {
  const rootfs = rootWith({});
  copyFileSync('/bin/true', join(rootfs, 'plugin/driver'));
  await checkProgram(rootfs, { manifest: manifest('./driver'), base: undefined });
  for (const { to, from } of librariesOf(['/bin/true'])) assert.deepEqual(readFileSync(join(rootfs, to)), readFileSync(from));
});

test('checkProgram() notes modules that were compiled for another Python than the root has', async () => {
  const files = { 'usr/bin/python3': isStatic, 'plugin/lib/grpc/cygrpc.cpython-311-x86_64-linux-gnu.so': '' };
  const notes = (more: Parameters<typeof rootWith>[0]) =>
    checkProgram(rootWith({ ...files, ...more }), { manifest: manifest('/usr/bin/python3', 'main.py'), base: 'b' });
  assert.match((await notes({ 'usr/lib/python3.13/x.txt': '' })).join(), /cygrpc.* is for Python 3\.11, and the root has python3\.13/);
  assert.deepEqual(await notes({ 'usr/lib/python3.11/x.txt': '' }), []);
});

test('checkProgram() notes libraries that native code of a plugin needs and nobody has', async () => {
  const files = { 'plugin/driver': isStatic, 'plugin/lib/x.so': linked, 'plugin/lib/y.so': linked };
  const [libc = ''] = librariesOf(['/bin/true']).flatMap(({ to }) => (to.endsWith('libc.so.6') ? [to] : []));
  assert.deepEqual(await checkProgram(rootWith(files), { manifest: manifest('driver'), base: 'b' }), [
    'lib/x.so needs libc.so.6, which the root has not',
  ]);
  assert.deepEqual(await checkProgram(rootWith({ ...files, [libc.slice(1)]: '' }), { manifest: manifest('driver'), base: 'b' }), []);
});

test('noteScripts() names scripts of a plugin that its root cannot run', () => {
  const files = { 'plugin/driver': script('/bin/sh'), 'plugin/main.txt': script('/bin/sh') };
  assert.deepEqual(noteScripts(rootWith(files)), [
    'driver is a script for /bin/sh, which the root has not: name a base that has it (--base)',
  ]);
  assert.deepEqual(noteScripts(rootWith({ ...files, 'bin/dash': isStatic, 'bin/sh': { link: 'dash' } })), []);
});
