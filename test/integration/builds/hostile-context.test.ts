import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { GantryError, messageOf } from '@gantry/sdk';
import type { ImageFile } from '@gantry/sdk/engine';
import { buildImage } from '../../support/images/build-context.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { readTarCases } from '../../support/images/tar-cases/index.ts';
import { base256, endOfArchive, entry, gnuLongName, header, pax } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url);
leakGuard();

let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open();
  await under.warm();
});
after(() => under[Symbol.asyncDispose]());

const dockerfile = entry('Dockerfile', 'FROM scratch\nCOPY . /\n');

async function failureOf(context: Buffer): Promise<string> {
  const started = performance.now();
  const error = await buildImage(under.engine, context).then(
    ({ text }) => assert.fail(`it was built:\n${text}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(GantryError.is(error), messageOf(error));
  assert.equal(error.code, 'invalid_argument', error.message);
  assert.ok(error.message.split('\n').length <= 2 && error.message.length < 600, error.message);
  assert.ok(performance.now() - started < 30_000);
  return error.message;
}

/** What `COPY . /` of a context makes. */
async function filesOf(context: Buffer): Promise<readonly ImageFile[]> {
  const { id } = await buildImage(under.engine, context);
  await using files = await under.engine.builds.files(id);
  return (await files.list()).filter(({ name }) => name !== 'Dockerfile');
}

const link = (name: string, to: string): Buffer => header({ name, type: '2', link: to });
const hard = (name: string, to: string): Buffer => header({ name, type: '1', link: to });
const folder = (name: string): Buffer => header({ name, type: '5', mode: 0o755 });

const refused: Readonly<Record<string, readonly [parts: readonly Buffer[], problem: RegExp]>> = {
  'a name that climbs': [[entry('../evil')], /path escapes layer: "\.\.\/evil"/],
  'an absolute name that climbs': [[entry('/../evil')], /path escapes layer/],
  'a name that climbs behind a folder': [[entry('a/../../evil')], /path escapes layer/],
  'a bare ..': [[entry('..')], /path escapes layer/],
  'a file as root': [[entry('./')], /the root of the archive is no folder/],
  'a link as root': [[link('.', '/etc')], /the root of the archive is no folder/],
  'links in a circle, and a file through them': [[link('a', 'b'), link('b', 'a'), entry('a/x')], /too many levels of symbolic links/],
  'a hard link outwards': [[hard('x', '../../etc/passwd')], /path escapes layer/],
  'an absolute hard link': [[hard('x', '/etc/passwd')], /hardlink target "etc\/passwd" not found/],
  'a hard link to nothing': [[hard('x', 'none')], /hardlink target "none" not found/],
  'a hard link to what comes later': [[hard('x', 'later'), entry('later')], /hardlink target "later" not found/],
  'a hard link to itself': [[hard('x', 'x')], /hardlink target "x" not found/],
  'a hard link to a folder': [[folder('d/'), hard('x', 'd')], /hardlink target "d" not found/],
  'a device of numbers that there are not': [[header({ name: 'd', type: '3', device: [4096, 0] })], /d": |device/],
  'a whiteout': [[entry('.wh.passwd')], /names that begin with \.wh\./],
  'an opaque mark': [[entry('d/.wh..wh..opq')], /names that begin with \.wh\./],
  'a file in a file': [[entry('x'), entry('x/y')], /"x" is no folder, and something lies in it/],
  'a name of 256 bytes': [[gnuLongName('n'.repeat(256)), entry('f')], /a name of 256 bytes, at most 255/],
  'a path of 5,000 bytes': [[gnuLongName(`${'d/'.repeat(2500)}f`), entry('f')], /a path of 5001 bytes, at most 4096/],
  'a path of a million folders': [
    [pax({ path: `${'d/'.repeat(300_000)}f` }), entry('f')],
    /a path of \d+ bytes|too large|too long|more than/,
  ],
  'a symlink without a target': [[link('l', '')], /a symlink to 0 bytes/],
  'a symlink with a target of 4,096 bytes': [[pax({ linkpath: 't'.repeat(4096) }), link('l', 'x')], /a symlink to 4096 bytes/],
  'a NUL in a name': [[pax({ path: 'a\0b' }), entry('f')], /NUL|invalid|header/],
  'an owner beyond numbers': [[header({ name: 'f', raw: { uid: base256(2n ** 32n, 8) } })], /owner 4294967296:0 is out of range/],
  'a negative owner': [[header({ name: 'f', raw: { uid: base256(-5n, 8) } })], /owner -5:0 is out of range/],
  'a time that is none': [[pax({ mtime: 'NaN' }), entry('f')], /mtime|header|time/],
  'a capability that is none': [[pax({ 'SCHILY.xattr.security.capability': 'junk' }), entry('f')], /security\.capability|EINVAL|invalid/i],
};

for (const [what, [parts, problem]] of Object.entries(refused))
  test(`Builds.build() refuses a context with ${what}`, { timeout: 60_000 }, async () => {
    const images = (await under.engine.images.list({ all: true })).length;
    assert.match(await failureOf(Buffer.concat([dockerfile, ...parts, endOfArchive])), problem);
    assert.equal((await under.engine.images.list({ all: true })).length, images);
  });

const deep = `${'d/'.repeat(1500)}f`;
const taken: Readonly<Record<string, readonly [parts: readonly Buffer[], files: readonly string[]]>> = {
  'absolute names': [[entry('/etc/x')], ['etc folder 755 0:0', 'etc/x file 644 0:0']],
  'a folder as root': [[header({ name: './', type: '5', mode: 0o700 }), entry('x')], ['x file 644 0:0']],
  'files through links that lead out': [
    [link('out', '../../../../srv'), entry('out/x'), link('abs', '/srv'), entry('abs/y')],
    ['abs symlink 777 0:0 /srv', 'out symlink 777 0:0 ../../../../srv', 'srv folder 755 0:0', 'srv/x file 644 0:0', 'srv/y file 644 0:0'],
  ],
  'a hard link to a symlink': [
    [link('s', 'x'), hard('h', 's')],
    ['h symlink 777 0:0 x', 's symlink 777 0:0 x'],
  ],
  'devices and pipes': [
    [header({ name: 'c', type: '3', device: [1, 3], mode: 0o666 }), header({ name: 'p', type: '6', mode: 0o600 })],
    ['c device 666 0:0', 'p fifo 600 0:0'],
  ],
  'modes of many bits': [
    [entry('s', 'x', { mode: 0o6755 }), header({ name: 'd/', type: '5', mode: 0o1777 })],
    ['d folder 1777 0:0', 's file 6755 0:0'],
  ],
  'attributes of overlays, which are dropped': [
    [pax({ 'SCHILY.xattr.trusted.overlay.opaque': 'y' }), folder('d/'), pax({ 'SCHILY.xattr.user.a': 'b' }), entry('d/f')],
    ['d folder 755 0:0', 'd/f file 644 0:0'],
  ],
  'names that come twice': [
    [entry('f', '1'), entry('f', '22'), folder('d/'), entry('d/in'), entry('d', 'file'), entry('g'), folder('g/'), entry('g/in')],
    ['d file 644 0:0', 'f file 644 0:0', 'g folder 755 0:0', 'g/in file 644 0:0'],
  ],
  'a name of 255 bytes, and odd ones': [
    [gnuLongName('n'.repeat(255)), entry('f'), entry('new\nline'), entry('caf\u00e9')],
    ['caf\u{fffd} file 644 0:0', 'new\nline file 644 0:0', `${'n'.repeat(255)} file 644 0:0`],
  ],
  'owners, which are nobody here': [[entry('f', 'x', { uid: 1000, gid: 1000 })], ['f file 644 0:0']],
  'times before 1970 and after 30,000': [
    [pax({ mtime: '-5' }), entry('a'), pax({ mtime: String(2 ** 40) }), entry('b')],
    ['a file 644 0:0', 'b file 644 0:0'],
  ],
  'kinds that say nothing': [[header({ name: 'V', type: 'V' }), header({ name: 'Z', type: 'Z' }), entry('f')], ['f file 644 0:0']],
};

for (const [what, [parts, files]] of Object.entries(taken))
  test(`Builds.build() takes a context with ${what}`, { timeout: 60_000 }, async () => {
    const found = await filesOf(Buffer.concat([dockerfile, ...parts, endOfArchive]));
    const shown = found.map(({ name, kind, mode, uid, gid, target }) =>
      `${name} ${kind} ${mode.toString(8)} ${uid}:${gid} ${target}`.trimEnd(),
    );
    assert.deepEqual(shown, files);
  });

test('Builds.build() takes a context of folders 1,500 deep, and replaces the first of them', { timeout: 120_000 }, async () => {
  const found = await filesOf(Buffer.concat([dockerfile, gnuLongName(deep), entry('f'), endOfArchive]));
  assert.equal(found.length, 1501);
  const replaced = await filesOf(Buffer.concat([dockerfile, gnuLongName(deep), entry('f'), entry('d', 'file'), endOfArchive]));
  assert.deepEqual(
    replaced.map(({ name, kind }) => [name, kind]),
    [['d', 'file']],
  );
});

/** Whether an archive is read to its end: then it is only the Dockerfile that is missing, or something of its files that is wrong. */
for (const { name, bytes, expected } of readTarCases())
  test(`Builds.build() reads the context ${name} as Go does: ${expected.result}`, { timeout: 60_000 }, async () => {
    const message = await failureOf(bytes());
    const isRead =
      /Cannot locate specified Dockerfile|path escapes|hardlink target|no folder|out of range|bytes, at most|root of the archive|symlink to/.test(
        message,
      );
    assert.equal(isRead ? 'ok' : 'error', expected.result, message);
  });
